// A peer whose GNS can be made to send anything: the content of each packet can be replaced before it is encrypted. It
// connects to a server, does one thing that no honest peer does, and prints how that went.
//   changed_peer PORT gap LANES DISTANCE     a byte on each lane, so far ahead of what was sent
//   changed_peer PORT consume BYTES          this many empty reliable messages behind a gap of a byte, then that byte
//   changed_peer PORT unfinished LANES       a reliable message of 512 KiB on each lane, all but its end
//   changed_peer PORT descending COUNT       unreliable messages, each with a lower number than the one before
//   changed_peer PORT rare COUNT             unreliable messages on many lanes in turn
//   changed_peer PORT fragments LANES        beginnings of unreliable messages, many on each lane
//   changed_peer PORT lane LANE              a reliable message on that lane, which need not exist
//   changed_peer PORT varint                 a reliable message whose size never ends
//   changed_peer PORT acks COUNT             packets full of acks
//   changed_peer PORT jump                   message numbers and stop-waiting offsets beyond all bounds
//   changed_peer PORT random SECONDS SEED    packets of random frames, and mutations of honest ones; reconnects
//                                            when it is ended
// SECONDS_AFTER (environment): how long it stays connected afterwards, 1 by default.
// The last line: "packets N state S reason R text".
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <steam/isteamnetworkingutils.h>
#include <steam/steamnetworkingsockets.h>

namespace {

using Clock = std::chrono::steady_clock;
using Packet = std::string;

ISteamNetworkingSockets *gns = nullptr;
HSteamNetConnection connection = k_HSteamNetConnection_Invalid;
std::atomic<int> state{0};
int reason = 0;
std::string reason_text;

std::mutex mutex; // for the following
std::deque<Packet> packets;
std::mt19937 *mutating = nullptr; // changes honest packets a little
int64_t sent = 0;

constexpr size_t packet_size = 1100;

// ---- the parts of packets ----

std::string little(uint64_t number, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i));
    return text;
}

std::string varint(uint64_t number) {
    std::string text;
    for (; number >= 0x80; number >>= 7) text += static_cast<char>(number | 0x80);
    return text + static_cast<char>(number);
}

std::string lane(unsigned number) {
    if (number == 0) return {};
    if (number <= 7) return std::string(1, static_cast<char>(0x87 + number));
    return "\x8f" + varint(number);
}

std::string reliable(uint64_t position, const std::string &data) {
    std::string frame(1, static_cast<char>(0x40 | 0x10 | (data.size() >> 8)));
    return frame + little(position, 6) + static_cast<char>(data.size()) + data;
}

std::string unreliable(uint32_t number, const std::string &data, bool last = true, uint64_t offset = 0) {
    std::string frame(1, static_cast<char>(0x10 | (last ? 0x20 : 0) | (offset > 0 ? 0x08 : 0) | (data.size() >> 8)));
    return frame + little(number, 4) + (offset > 0 ? varint(offset) : "") + static_cast<char>(data.size()) + data;
}

// ---- the connection ----

void on_status_changed(SteamNetConnectionStatusChangedCallback_t *change) {
    if (change->m_hConn != connection) return;
    state = change->m_info.m_eState;
    reason = change->m_info.m_eEndReason;
    reason_text = change->m_info.m_szEndDebug;
}

void nap(int milliseconds) {
    const auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
    do {
        gns->RunCallbacks();
        SteamNetworkingMessage_t *messages[64];
        for (int count; state == 3 && (count = gns->ReceiveMessagesOnConnection(connection, messages, 64)) > 0;)
            for (int i = 0; i < count; ++i) messages[i]->Release();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } while (Clock::now() < end);
}

bool connect(uint16 port) {
    SteamNetworkingIPAddr address;
    address.Clear();
    address.SetIPv4(0x7f000001, port);
    state = 0;
    connection = gns->ConnectByIPAddress(address, 0, nullptr);
    for (int i = 0; i < 10'000 && state != 3 && state < 4; ++i) nap(1);
    return state == 3;
}

// Makes GNS send this many packets, whatever they contain.
void carry(size_t count) {
    std::vector<SteamNetworkingMessage_t *> messages;
    for (size_t i = 0; i < count; ++i) {
        SteamNetworkingMessage_t *const message = SteamNetworkingUtils()->AllocateMessage(packet_size);
        std::memset(message->m_pData, 0, packet_size);
        message->m_conn = connection;
        message->m_nFlags = k_nSteamNetworkingSend_UnreliableNoNagle;
        messages.push_back(message);
    }
    gns->SendMessages(static_cast<int>(count), messages.data(), nullptr, true);
}

size_t waiting() {
    std::lock_guard lock(mutex);
    return packets.size();
}

int pause_ms = 2; // between 64 packets

void flush() {
    for (int i = 0; i < 5'000 && state == 3 && waiting() > 0; ++i) {
        carry(std::min<size_t>(waiting(), 64));
        nap(pause_ms);
    }
}

// Sends in pieces that the receiver's socket can hold.
void send(Packet packet) {
    size_t now;
    {
        std::lock_guard lock(mutex);
        packets.push_back(std::move(packet));
        now = packets.size();
    }
    if (now >= 64) flush();
}

// ---- what it can do ----

void gap(unsigned lanes, uint64_t distance) {
    for (unsigned i = 0; i < lanes; ++i) send(lane(i) + reliable(1 + distance, "x"));
}

void consume(uint64_t bytes) {
    pause_ms = 5;
    for (int round = 0; round < 2; ++round) // a packet may be lost
        for (uint64_t at = 2; at < bytes; at += 1000) send(reliable(at, std::string(1000, 0)));
    flush();
    nap(300);
    for (int round = 0; round < 5; ++round) {
        send(reliable(1, std::string(1, 0)));
        flush();
        nap(300);
    }
}

void unfinished(unsigned lanes) {
    const std::string header("\x20\x80\x80\x01", 4); // 512 KiB
    for (int round = 0; round < 2; ++round)
        for (uint64_t at = 0; at + 1000 < 512 * 1024 && state == 3; at += 1000)
            for (unsigned i = 0; i < lanes; ++i)
                send(lane(i) + reliable(1 + at, at == 0 ? header + std::string(996, 'x') : std::string(1000, 'x')));
}

void descending(uint32_t count) {
    const uint32_t first = 1'000'000'000;
    for (uint32_t i = 0; i < count;) {
        Packet packet;
        for (; packet.size() < packet_size && i < count; ++i) packet += lane(1) + unreliable(first - i, "");
        send(packet);
    }
}

void rare(uint32_t count) {
    for (uint32_t i = 0; i < count;) {
        Packet packet;
        for (; packet.size() < packet_size && i < count; ++i) packet += lane(1 + i % 254) + unreliable(1 + i / 254, "");
        send(packet);
    }
}

void fragments(unsigned lanes) {
    for (uint32_t number = 1; number <= 40; ++number)
        for (unsigned i = 0; i < lanes; ++i) send(lane(i) + unreliable(number, std::string(1, 'x'), false, 10));
}

void acks(int count) {
    for (int i = 0; i < count; ++i) {
        Packet packet;
        while (packet.size() + 12 < packet_size)
            packet += "\x99" + little(1, 2) + little(0xffff, 2) + "\x01"; // the first is lost
        send(packet);
    }
}

void jump() {
    std::string numbers = lane(1) + unreliable(1, "");
    for (int i = 0; i < 100; ++i) numbers += "\x30" + varint(UINT64_MAX / 2) + std::string(1, 0);
    send("\x83" + little(INT64_MAX, 8));
    send("\x83" + little(UINT64_MAX, 8));
    send(numbers);
}

std::string random_frames(std::mt19937 &random) {
    const auto any = [&](uint64_t below) { return std::uniform_int_distribution<uint64_t>(0, below - 1)(random); };
    const auto number = [&]() -> uint64_t {
        switch (any(5)) {
        case 0: return any(8);
        case 1: return any(70'000);
        case 2: return any(uint64_t{1} << 33);
        case 3: return std::uniform_int_distribution<uint64_t>()(random);
        default: return (uint64_t{1} << any(64)) - any(3);
        }
    };
    const auto data = [&] {
        std::string bytes(any(any(10) == 0 ? 1000 : 20), 0);
        const bool zero = any(3) == 0;
        for (char &byte : bytes) byte = static_cast<char>(zero ? 0 : any(256));
        return bytes;
    };
    Packet packet;
    while (packet.size() < packet_size - 60 && (packet.empty() || any(12) > 0)) {
        std::string frame;
        switch (any(8)) {
        case 0: frame = lane(static_cast<unsigned>(any(3) == 0 ? any(300) : any(10))); break;
        case 1:
            frame = unreliable(static_cast<uint32_t>(number()), data(), any(2) == 0, any(2) == 0 ? 0 : number());
            break;
        case 2: // at the following number
            frame = "\x20" + std::string(1, 2) + "ab";
            break;
        case 3: frame = reliable(any(2) == 0 ? 1 + any(5000) : number(), data()); break;
        case 4: { // right after the last one, or a little farther
            const std::string bytes = data();
            frame = std::string(1, static_cast<char>(0x48 | (bytes.size() >> 8))) + static_cast<char>(any(256)) +
                    static_cast<char>(bytes.size()) + bytes;
            break;
        }
        case 5: frame = "\x80" + little(any(256), 1); break;
        case 6: {
            const uint64_t blocks = any(4);
            frame = std::string(1, static_cast<char>(0x98 | blocks)) + little(any(3000), 2) + little(any(0x10000), 2);
            for (uint64_t i = 0; i < blocks; ++i) frame += little(any(128), 1);
            break;
        }
        default:
            for (uint64_t i = any(8) + 1; i > 0; --i) frame += static_cast<char>(any(256));
            if (any(4) > 0) frame.clear(); // these usually end the connection at once
        }
        if (packet.size() + frame.size() <= packet_size) packet += frame;
    }
    return packet;
}

void random_for(uint16 port, int seconds, uint32_t seed) {
    std::mt19937 random(seed);
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    int connections = 0;
    while (Clock::now() < end) {
        if (state != 3) {
            gns->CloseConnection(connection, 0, nullptr, false);
            {
                std::lock_guard lock(mutex);
                packets.clear();
                mutating = nullptr;
            }
            if (!connect(port)) continue;
            ++connections;
        }
        std::mt19937 changes(random());
        {
            std::lock_guard lock(mutex);
            mutating = random() % 2 == 0 ? &changes : nullptr;
        }
        const int count = static_cast<int>(random() % 64);
        for (int i = 0; i < count && state == 3; ++i) {
            if (random() % 2 == 0)
                send(random_frames(random));
            else { // an honest message, which may be changed on its way
                const std::string data(1 + random() % 3000, static_cast<char>(random()));
                gns->SendMessageToConnection(connection, data.data(), static_cast<uint32>(data.size()),
                                             static_cast<int>(random() % 2) * k_nSteamNetworkingSend_Reliable, nullptr);
            }
        }
        flush();
        nap(2);
        std::lock_guard lock(mutex);
        mutating = nullptr;
    }
    std::printf("connections %d\n", connections);
}

} // namespace

// Called by GNS with each packet's content, to be replaced; returns its size.
int ChangedPayload(unsigned char *payload, int size, int capacity) {
    std::lock_guard lock(mutex);
    if (packets.empty()) {
        if (!mutating || size == 0) return size;
        for (unsigned i = (*mutating)() % 4; i > 0; --i)
            payload[(*mutating)() % static_cast<unsigned>(size)] ^= 1 << ((*mutating)() % 8);
        ++sent;
        return size;
    }
    const Packet packet = std::move(packets.front());
    packets.pop_front();
    size = std::min(capacity, static_cast<int>(packet.size()));
    std::memcpy(payload, packet.data(), static_cast<size_t>(size));
    ++sent;
    return size;
}

int main(int argc, char **argv) {
    const auto argument = [&](int index) { return argc > index ? std::strtoull(argv[index], nullptr, 10) : 0; };
    const auto port = static_cast<uint16>(argument(1));
    const std::string what = argc > 2 ? argv[2] : "";
    SteamNetworkingErrMsg error;
    if (!GameNetworkingSockets_Init(nullptr, error)) {
        std::fprintf(stderr, "%s\n", error);
        return EXIT_FAILURE;
    }
    gns = SteamNetworkingSockets();
    ISteamNetworkingUtils *const utils = SteamNetworkingUtils();
    utils->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_IP_AllowWithoutAuth, 2);
    utils->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_SendRateMin, 100 << 20);
    utils->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_SendRateMax, 100 << 20);
    utils->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_SendBufferSize, 16 << 20);
    utils->SetGlobalCallback_SteamNetConnectionStatusChanged(on_status_changed);
    if (!connect(port)) {
        std::fprintf(stderr, "not connected\n");
        return EXIT_FAILURE;
    }
    const auto first = argument(3), second = argument(4);
    if (what == "gap")
        gap(static_cast<unsigned>(first), second);
    else if (what == "consume")
        consume(first);
    else if (what == "unfinished")
        unfinished(static_cast<unsigned>(first));
    else if (what == "descending")
        descending(static_cast<uint32_t>(first));
    else if (what == "rare")
        rare(static_cast<uint32_t>(first));
    else if (what == "fragments")
        fragments(static_cast<unsigned>(first));
    else if (what == "lane")
        send(lane(static_cast<unsigned>(first)) + reliable(1, "\x01x"));
    else if (what == "varint")
        send(reliable(1, "\x20" + std::string(40, '\xff')));
    else if (what == "acks")
        acks(static_cast<int>(first));
    else if (what == "jump")
        jump();
    else if (what == "random")
        random_for(port, static_cast<int>(first), static_cast<uint32_t>(second));
    else {
        std::fprintf(stderr, "see the head of changed_peer.cpp\n");
        return EXIT_FAILURE;
    }
    flush();
    const char *const after = std::getenv("SECONDS_AFTER");
    nap(static_cast<int>(1000 * (after ? std::atof(after) : 1.0)));
    std::printf("packets %lld state %d reason %d %s\n", static_cast<long long>(sent), state.load(), reason,
                reason_text.c_str());
    std::fflush(stdout);
    std::_Exit(EXIT_SUCCESS);
}
