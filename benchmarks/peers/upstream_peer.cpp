// Plain GNS, unchanged and built by its own CMake files: without gns_py's core, and without its mends.
//
// It can be served in two ways. inline: by the thread that waits, with a function that no public header
// declares. By its own service thread: then nothing tells the program of a message; it looks every
// millisecond (service), or all the time (busy).
//
// Usage: upstream_peer inline|service|busy serve | round_trip PORT COUNT SIZE
//        | one_way PORT COUNT SIZE RELIABLE | world PLAYERS RATE TICKS once_a_tick|as_it_comes
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <unistd.h>
#include <unordered_map>

#include <steam/isteamnetworkingutils.h>
#include <steam/steamnetworkingsockets.h>

#include "measure.hpp"

STEAMNETWORKINGSOCKETS_INTERFACE void SteamNetworkingSockets_SetManualPollMode(bool manual);
STEAMNETWORKINGSOCKETS_INTERFACE void SteamNetworkingSockets_Poll(int milliseconds);

namespace {

using Connection = HSteamNetConnection;
using Message = SteamNetworkingMessage_t;
constexpr int send_reliably = k_nSteamNetworkingSend_Reliable | k_nSteamNetworkingSend_NoNagle;
constexpr int batch_size = 256;

enum class Way { inline_, service, busy } way;
ISteamNetworkingSockets *gns;
HSteamNetPollGroup group;
std::function<void(Connection, ESteamNetworkingConnectionState)> on_status;

[[noreturn]] void die(const char *what, int code = 0) {
    std::fprintf(stderr, "%s: %d\n", what, code);
    std::exit(1);
}

void start() {
    if (way == Way::inline_) SteamNetworkingSockets_SetManualPollMode(true);
    SteamNetworkingErrMsg error;
    if (!GameNetworkingSockets_Init(nullptr, error)) die(error);
    gns = SteamNetworkingSockets();
    group = gns->CreatePollGroup();
    // It would report each port that is taken.
    SteamNetworkingUtils()->SetDebugOutputFunction(k_ESteamNetworkingSocketsDebugOutputType_None, nullptr);
}

std::vector<SteamNetworkingConfigValue_t> options() {
    const int rate = std::atoi(std::getenv("BENCH_RATE"));
    std::vector<SteamNetworkingConfigValue_t> list;
    const auto add = [&](ESteamNetworkingConfigValue name, int value) { list.emplace_back().SetInt32(name, value); };
    add(k_ESteamNetworkingConfig_SendRateMin, rate);
    add(k_ESteamNetworkingConfig_SendRateMax, rate);
    add(k_ESteamNetworkingConfig_SendBufferSize, 32 << 20);
    add(k_ESteamNetworkingConfig_RecvBufferSize, 1 << 29);
    add(k_ESteamNetworkingConfig_RecvBufferMessages, 1 << 22);
    const FnSteamNetConnectionStatusChanged changed = [](SteamNetConnectionStatusChangedCallback_t *event) {
        on_status(event->m_hConn, event->m_info.m_eState);
    };
    list.emplace_back().SetPtr(k_ESteamNetworkingConfig_Callback_ConnectionStatusChanged,
                               reinterpret_cast<void *>(changed));
    return list;
}

SteamNetworkingIPAddr loopback(uint16_t port) {
    SteamNetworkingIPAddr address;
    address.SetIPv4(0x7F000001, port);
    return address;
}

void wait(double timeout) {
    if (way == Way::inline_)
        SteamNetworkingSockets_Poll(static_cast<int>(timeout * 1000));
    else if (way == Way::busy)
        std::this_thread::yield();
    else
        std::this_thread::sleep_for(std::chrono::duration<double>(std::min(timeout, .001)));
}

// Handles what is there. Returns the number of messages.
template <typename Handle> int receive(Handle handle) {
    Message *messages[batch_size];
    gns->RunCallbacks();
    const int got = gns->ReceiveMessagesOnPollGroup(group, messages, batch_size);
    for (int i = 0; i < got; ++i) {
        handle(*messages[i]);
        messages[i]->Release();
    }
    return got;
}

EResult send(Connection connection, const void *data, size_t size, int flags) {
    return gns->SendMessageToConnection(connection, data, static_cast<uint32>(size), flags, nullptr);
}

void accept(Connection connection) {
    gns->AcceptConnection(connection);
    gns->SetConnectionPollGroup(connection, group);
}

// Opens a free port and prints it.
void listen() {
    const auto list = options();
    for (uint16_t port = 29500;; ++port) {
        const auto socket = gns->CreateListenSocketIP(loopback(port), static_cast<int>(list.size()), list.data());
        if (socket == k_HSteamListenSocket_Invalid) continue;
        say("%lld\n", port);
        return;
    }
}

Connection connect(uint16_t port) {
    const auto list = options();
    bool connected = false;
    on_status = [&](Connection, ESteamNetworkingConnectionState state) {
        connected = state == k_ESteamNetworkingConnectionState_Connected;
    };
    const auto connection = gns->ConnectByIPAddress(loopback(port), static_cast<int>(list.size()), list.data());
    gns->SetConnectionPollGroup(connection, group);
    while (!connected) {
        gns->RunCallbacks();
        wait(.001);
    }
    on_status = [](Connection, ESteamNetworkingConnectionState state) { die("the connection has ended", state); };
    return connection;
}

// Serves one connection at a time.
void serve() {
    listen();
    Service service;
    on_status = [&](Connection connection, ESteamNetworkingConnectionState state) {
        if (state == k_ESteamNetworkingConnectionState_Connecting) {
            accept(connection);
            service = Service();
        } else if (state > k_ESteamNetworkingConnectionState_Connected) {
            gns->CloseConnection(connection, 0, nullptr, false);
        }
    };
    for (;;) {
        const int got = receive([&](const Message &message) {
            const Service::Action action = service.take(message.m_pData, message.m_cbSize);
            if (action == Service::Action::echo) send(message.m_conn, message.m_pData, message.m_cbSize, send_reliably);
            if (action != Service::Action::sum) return;
            const std::vector<double> sum = service.sum();
            send(message.m_conn, sum.data(), sum.size() * sizeof(double), send_reliably);
        });
        if (got == 0) wait(.1);
    }
}

void round_trip(uint16_t port, int count, size_t size) {
    const Connection connection = connect(port);
    const std::vector<char> data(size, 'x');
    send(connection, "E", 1, send_reliably);
    measure_round_trips(count, [&] {
        if (send(connection, data.data(), size, send_reliably) != k_EResultOK) die("send");
        while (receive([](const Message &) {}) == 0) wait(.1);
    });
}

void one_way(uint16_t port, int count, size_t size, bool reliable) {
    const Connection connection = connect(port);
    const std::vector<char> data(size, 'x');
    send(connection, "S", 1, send_reliably);
    const double cpu = cpu_seconds();
    for (int sent = 0; sent < count;) {
        const EResult result = send(connection, data.data(), size, reliable ? k_nSteamNetworkingSend_Reliable : 0);
        if (result == k_EResultOK)
            ++sent;
        else if (result == k_EResultLimitExceeded)
            wait(.001);
        else
            die("send", result);
        if (way == Way::inline_ && sent % batch_size == 0) wait(0);
    }
    send(connection, "F", 1, send_reliably);
    const auto report = [&](const Message &message) {
        report_one_way(static_cast<const double *>(message.m_pData), cpu_seconds() - cpu);
    };
    while (receive(report) == 0) wait(.1);
}

// As in core_world.cpp.
void world(int wanted, int rate, int ticks, bool as_it_comes) {
    struct Player {
        char input[64], world[200];
    };
    std::unordered_map<Connection, Player> players;
    int joined = 0;
    long long inputs = 0;
    on_status = [&](Connection connection, ESteamNetworkingConnectionState state) {
        if (state == k_ESteamNetworkingConnectionState_Connecting) {
            accept(connection);
            players[connection] = Player{};
        } else if (state == k_ESteamNetworkingConnectionState_Connected) {
            ++joined;
        } else {
            die("a player has left", state);
        }
    };
    const auto receive_all = [&] {
        while (receive([&](const Message &message) {
            std::memcpy(players[message.m_conn].input, message.m_pData, std::min(message.m_cbSize, 64));
            ++inputs;
        }))
            continue;
    };
    const auto receive_within = [&](double timeout) {
        wait(timeout);
        receive_all();
    };
    listen();
    while (joined < wanted) receive_within(.1);
    say("{\"joined\": %lld, \"reader\": %lld}\n", joined, gettid());
    while (rate == 0) {
        if (!as_it_comes) std::this_thread::sleep_for(std::chrono::milliseconds(33));
        receive_within(as_it_comes ? 1 : 0);
    }
    const double period = 1.0 / rate;
    double next = seconds() + period;
    int late = 0;
    for (int tick = -rate / 3; tick < ticks; ++tick, next += period) { // the first ones are a warm-up
        if (tick == 0) {
            say("begin\n");
            inputs = 0;
        }
        for (double left; (left = next - seconds()) > 0;) {
            if (as_it_comes || way == Way::inline_)
                receive_within(left);
            else
                std::this_thread::sleep_for(std::chrono::duration<double>(left));
        }
        if (!as_it_comes) receive_all();
        for (const auto &[connection, player] : players)
            send(connection, player.world, sizeof player.world, k_nSteamNetworkingSend_NoNagle);
        if (tick >= 0 && seconds() > next + period) ++late;
    }
    say("{\"late\": %lld, \"inputs\": %lld}\n", late, inputs);
    for (;;) receive_within(1); // until it is killed
}

} // namespace

int main(int argc, char **argv) {
    const std::string name = argc > 2 ? argv[1] : "", what = argc > 2 ? argv[2] : "";
    way = name == "inline" ? Way::inline_ : name == "busy" ? Way::busy : Way::service;
    const auto number = [&](int i) { return std::atoi(argv[i]); };
    const auto size = [&](int i) { return static_cast<size_t>(number(i)); };
    const auto port = [&] { return static_cast<uint16_t>(number(3)); };
    start();
    if (what == "serve")
        serve();
    else if (what == "round_trip" && argc == 6)
        round_trip(port(), number(4), size(5));
    else if (what == "one_way" && argc == 7)
        one_way(port(), number(4), size(5), number(6) != 0);
    else if (what == "world" && argc == 7)
        world(number(3), number(4), number(5), std::string(argv[6]) == "as_it_comes");
    else
        return 2;
    GameNetworkingSockets_Kill();
    return 0;
}
