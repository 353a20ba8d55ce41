// A peer of plain GNS that a test talks to in lines, on standard input and output: tests/support/p2p_peers.py. Signals
// go the same way, so that the test is the signalling service.
//   p2p_peer IDENTITY [OPTION=VALUE...]     options: stun, turn, user, password (lists as GNS takes them), ice (bits of
//                                           P2P_Transport_ICE_Enable), timeout (of connecting, in ms), symmetric (0 or
//                                           1)
// Commands:
//   listen                        listens on virtual port 0
//   connect IDENTITY              prints "connecting NUMBER", or "refused"
//   accept NUMBER
//   send NUMBER TEXT              one reliable message
//   close NUMBER REASON LINGER TEXT
//   route NUMBER                  prints "route NUMBER local|direct|relayed ADDRESS"
//   signal IDENTITY HEX           one that has arrived, and its sender
// It prints:
//   ready
//   signal IDENTITY HEX           one to be delivered
//   inbound NUMBER IDENTITY       a request that can be accepted
//   state NUMBER STATE REASON TEXT
//   message NUMBER TEXT
// and on standard error what GNS logs. The numbers are GNS's handles. It ends when its input ends.
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <queue>
#include <sstream>
#include <string>
#include <thread>

#include <steam/isteamnetworkingutils.h>
#include <steam/steamnetworkingcustomsignaling.h>
#include <steam/steamnetworkingsockets.h>
#include <steam/steamnetworkingsockets_flat.h>

namespace {

ISteamNetworkingSockets *gns = nullptr;
HSteamListenSocket listening = k_HSteamListenSocket_Invalid;
HSteamNetPollGroup group = k_HSteamNetPollGroup_Invalid;
bool symmetric = false;

// GNS sends signals and logs from its own thread.
void say(const char *format, ...) {
    static std::mutex mutex;
    const std::lock_guard<std::mutex> lock(mutex);
    va_list arguments;
    va_start(arguments, format);
    std::vprintf(format, arguments);
    va_end(arguments);
    std::fflush(stdout);
}

[[noreturn]] void die(const std::string &text) {
    std::fprintf(stderr, "%s\n", text.c_str());
    std::_Exit(EXIT_FAILURE);
}

void on_log(ESteamNetworkingSocketsDebugOutputType level, const char *text) {
    std::fprintf(stderr, "GNS %d: %s\n", level, text);
}

std::string to_hex(const void *data, int size) {
    const auto *const bytes = static_cast<const unsigned char *>(data);
    std::string hex;
    for (int i = 0; i < size; ++i) {
        constexpr char digits[] = "0123456789abcdef";
        hex += digits[bytes[i] >> 4];
        hex += digits[bytes[i] & 15];
    }
    return hex;
}

std::string from_hex(const std::string &hex) {
    std::string data;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) data += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    return data;
}

// ---- signalling ----

bool send_signal(void *to, HSteamNetConnection, const SteamNetConnectionInfo_t &, const void *signal, int size) {
    say("signal %s %s\n", static_cast<std::string *>(to)->c_str(), to_hex(signal, size).c_str());
    return true;
}

void release(void *to) { delete static_cast<std::string *>(to); }

ISteamNetworkingConnectionSignaling *signalling_to(const std::string &identity) {
    return SteamAPI_ISteamNetworkingSockets_CreateCustomSignaling(new std::string(identity), send_signal, release);
}

ISteamNetworkingConnectionSignaling *on_request(void *, HSteamNetConnection, const SteamNetworkingIdentity &from, int) {
    return signalling_to(SteamNetworkingIdentityRender(from).c_str());
}

void on_rejection(void *, const SteamNetworkingIdentity &, const void *, int) {}

// ---- connections ----

const char *name_of(ESteamNetworkingConnectionState state) {
    switch (state) {
    case k_ESteamNetworkingConnectionState_Connecting: return "connecting";
    case k_ESteamNetworkingConnectionState_FindingRoute: return "finding-route";
    case k_ESteamNetworkingConnectionState_Connected: return "connected";
    case k_ESteamNetworkingConnectionState_ClosedByPeer: return "closed-by-peer";
    case k_ESteamNetworkingConnectionState_ProblemDetectedLocally: return "problem";
    default: return "none";
    }
}

void on_status_changed(SteamNetConnectionStatusChangedCallback_t *change) {
    const SteamNetConnectionInfo_t &info = change->m_info;
    const HSteamNetConnection connection = change->m_hConn;
    if (info.m_eState == k_ESteamNetworkingConnectionState_Connecting && info.m_hListenSocket) {
        gns->SetConnectionPollGroup(connection, group);
        say("inbound %u %s\n", connection, SteamNetworkingIdentityRender(info.m_identityRemote).c_str());
    }
    say("state %u %s %d %s\n", connection, name_of(info.m_eState), info.m_eEndReason, info.m_szEndDebug);
    if (info.m_eState == k_ESteamNetworkingConnectionState_ClosedByPeer ||
        info.m_eState == k_ESteamNetworkingConnectionState_ProblemDetectedLocally)
        gns->CloseConnection(connection, 0, nullptr, false);
}

void print_route(HSteamNetConnection connection) {
    SteamNetConnectionInfo_t info;
    if (!gns->GetConnectionInfo(connection, &info)) return say("route %u unknown -\n", connection);
    const char *kind = "direct";
    if (info.m_nFlags & k_nSteamNetworkConnectionInfoFlags_Relayed)
        kind = "relayed";
    else if (info.m_nFlags & k_nSteamNetworkConnectionInfoFlags_Fast)
        kind = "local";
    say("route %u %s %s\n", connection, kind, SteamNetworkingIPAddrRender(info.m_addrRemote).c_str());
}

SteamNetworkingConfigValue_t symmetric_option() {
    SteamNetworkingConfigValue_t option;
    option.SetInt32(k_ESteamNetworkingConfig_SymmetricConnect, symmetric);
    return option;
}

void connect(const std::string &to) {
    SteamNetworkingIdentity identity;
    if (!identity.ParseString(to.c_str())) die("not an identity: " + to);
    const SteamNetworkingConfigValue_t option = symmetric_option();
    const HSteamNetConnection connection =
        SteamAPI_ISteamNetworkingSockets_ConnectP2PCustomSignaling(gns, signalling_to(to), &identity, 0, 1, &option);
    if (connection == k_HSteamNetConnection_Invalid) return say("refused\n");
    gns->SetConnectionPollGroup(connection, group);
    say("connecting %u\n", connection);
}

void receive() {
    SteamNetworkingMessage_t *message = nullptr;
    while (gns->ReceiveMessagesOnPollGroup(group, &message, 1) == 1) {
        say("message %u %.*s\n", message->m_conn, message->m_cbSize, static_cast<const char *>(message->m_pData));
        message->Release();
    }
}

// ---- commands ----

std::string rest_of(std::istringstream &line) {
    std::string rest;
    std::getline(line >> std::ws, rest);
    return rest;
}

void listen(std::istringstream &) {
    const SteamNetworkingConfigValue_t option = symmetric_option();
    listening = gns->CreateListenSocketP2P(0, 1, &option);
    if (listening == k_HSteamListenSocket_Invalid) die("cannot listen");
}

void close(std::istringstream &line) {
    HSteamNetConnection connection = 0;
    int reason = 0, linger = 0;
    line >> connection >> reason >> linger;
    gns->CloseConnection(connection, reason, rest_of(line).c_str(), linger != 0);
}

void send(std::istringstream &line) {
    HSteamNetConnection connection = 0;
    line >> connection;
    const std::string text = rest_of(line);
    gns->SendMessageToConnection(connection, text.data(), static_cast<uint32>(text.size()),
                                 k_nSteamNetworkingSend_ReliableNoNagle, nullptr);
}

HSteamNetConnection number(std::istringstream &line) {
    HSteamNetConnection connection = 0;
    line >> connection;
    return connection;
}

void receive_signal(std::istringstream &line) {
    std::string sender; // GNS believes the signal itself
    line >> sender;
    const std::string data = from_hex(rest_of(line));
    SteamAPI_ISteamNetworkingSockets_ReceivedP2PCustomSignal2(gns, data.data(), static_cast<int>(data.size()), nullptr,
                                                              on_request, on_rejection);
}

void obey(const std::string &text) {
    static const std::map<std::string, void (*)(std::istringstream &)> commands = {
        {"listen", listen},
        {"connect", [](std::istringstream &line) { connect(rest_of(line)); }},
        {"accept", [](std::istringstream &line) { gns->AcceptConnection(number(line)); }},
        {"send", send},
        {"close", close},
        {"route", [](std::istringstream &line) { print_route(number(line)); }},
        {"signal", receive_signal},
    };
    std::istringstream line(text);
    std::string word;
    line >> word;
    const auto command = commands.find(word);
    if (command == commands.end()) die("what is " + text + "?");
    command->second(line);
}

// ---- options ----

void set_text(ESteamNetworkingConfigValue option, const std::string &text) {
    SteamNetworkingUtils()->SetGlobalConfigValueString(option, text.c_str());
}

void set_number(ESteamNetworkingConfigValue option, const std::string &text) {
    SteamNetworkingUtils()->SetGlobalConfigValueInt32(option, std::stoi(text));
}

void set(const std::string &name, const std::string &value) {
    if (name == "stun") return set_text(k_ESteamNetworkingConfig_P2P_STUN_ServerList, value);
    if (name == "turn") return set_text(k_ESteamNetworkingConfig_P2P_TURN_ServerList, value);
    if (name == "user") return set_text(k_ESteamNetworkingConfig_P2P_TURN_UserList, value);
    if (name == "password") return set_text(k_ESteamNetworkingConfig_P2P_TURN_PassList, value);
    if (name == "ice") return set_number(k_ESteamNetworkingConfig_P2P_Transport_ICE_Enable, value);
    if (name == "timeout") return set_number(k_ESteamNetworkingConfig_TimeoutInitial, value);
    if (name == "symmetric") {
        symmetric = value == "1";
        return;
    }
    die("what is " + name + "?");
}

// Commands wait here for the main thread.
struct Input {
    std::mutex mutex;
    std::queue<std::string> lines;
    bool ended = false;

    void read() {
        std::string line;
        while (std::getline(std::cin, line)) {
            const std::lock_guard<std::mutex> lock(mutex);
            lines.push(line);
        }
        const std::lock_guard<std::mutex> lock(mutex);
        ended = true;
    }

    // Obeys what has arrived; returns whether there can be more.
    bool obey_all() {
        std::queue<std::string> arrived;
        bool more = true;
        {
            const std::lock_guard<std::mutex> lock(mutex);
            arrived.swap(lines);
            more = !ended;
        }
        for (; !arrived.empty(); arrived.pop()) obey(arrived.front());
        return more;
    }
};

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) die("p2p_peer IDENTITY [OPTION=VALUE...]");
    SteamNetworkingUtils()->SetDebugOutputFunction(k_ESteamNetworkingSocketsDebugOutputType_Verbose, on_log);
    SteamNetworkingIdentity identity;
    if (!identity.ParseString(argv[1])) die("not an identity");
    SteamNetworkingErrMsg error;
    if (!GameNetworkingSockets_Init(&identity, error)) die(error);
    set_number(k_ESteamNetworkingConfig_LogLevel_P2PRendezvous,
               std::to_string(k_ESteamNetworkingSocketsDebugOutputType_Verbose));
    gns = SteamNetworkingSockets();
    group = gns->CreatePollGroup();
    SteamNetworkingUtils()->SetGlobalCallback_SteamNetConnectionStatusChanged(on_status_changed);
    for (int i = 2; i < argc; ++i) {
        const std::string option = argv[i];
        const size_t end = option.find('=');
        set(option.substr(0, end), end == std::string::npos ? "" : option.substr(end + 1));
    }
    say("ready\n");
    Input input;
    std::thread reader([&input] { input.read(); });
    while (input.obey_all()) {
        gns->RunCallbacks();
        receive();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    reader.join();
    GameNetworkingSockets_Kill();
    return EXIT_SUCCESS;
}
