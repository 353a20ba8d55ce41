// A client and a server of plain GNS, as anyone might write them, without any of gns_py.
//   gns_peer serve PORT                     echoes each message with its reliability, until a client sends "quit"
//   gns_peer connect HOST PORT COUNT SIZE   sends COUNT reliable messages of SIZE bytes, and one unreliable after each;
//                                           checks the echoes; closes with 1234 "peer done"
// HOST is a numeric address. GNS_PEER_CERTIFICATE (environment) is a file with a certificate and its private key, in
// GNS's format; GNS_PEER_ROOT a file with a root in base64. Exit code 0, or 1 and a line that says what went wrong.
// Nothing takes longer than a minute.
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <steam/isteamnetworkingutils.h>
#include <steam/steamnetworkingsockets.h>

// No public header declares how a program makes GNS trust roots of its own.
namespace SteamNetworkingSocketsLib {
bool CertStore_AddCertFromBase64(const char *base64, SteamNetworkingErrMsg &error);
struct SteamNetworkingGlobalLock {
    static void Lock(const char *tag);
    static void Unlock();
};
}

namespace {

using Clock = std::chrono::steady_clock;
const Clock::time_point deadline = Clock::now() + std::chrono::seconds(60);

ISteamNetworkingSockets *gns = nullptr;
HSteamNetPollGroup inbound = k_HSteamNetPollGroup_Invalid; // the server's connections
bool connected = false, ended = false;                     // the client's
bool certified = false;

[[noreturn]] void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vfprintf(stderr, format, arguments);
    va_end(arguments);
    std::fputc('\n', stderr);
    std::fflush(stdout);
    std::_Exit(EXIT_FAILURE);
}

void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vprintf(format, arguments);
    va_end(arguments);
    std::fflush(stdout);
}

void on_status_changed(SteamNetConnectionStatusChangedCallback_t *change) {
    const SteamNetConnectionInfo_t &info = change->m_info;
    say("state %d -> %d reason %d text %s\n", change->m_eOldState, info.m_eState, info.m_eEndReason, info.m_szEndDebug);
    if (certified && info.m_eState == k_ESteamNetworkingConnectionState_Connected)
        say("%s %s\n", SteamNetworkingIdentityRender(info.m_identityRemote).c_str(),
            info.m_nFlags & k_nSteamNetworkConnectionInfoFlags_Unauthenticated ? "unproved" : "proved");
    switch (info.m_eState) {
    case k_ESteamNetworkingConnectionState_Connecting:
        if (!info.m_hListenSocket) break;
        if (gns->AcceptConnection(change->m_hConn) != k_EResultOK) die("cannot accept");
        gns->SetConnectionPollGroup(change->m_hConn, inbound);
        break;
    case k_ESteamNetworkingConnectionState_Connected: connected = true; break;
    case k_ESteamNetworkingConnectionState_ClosedByPeer:
    case k_ESteamNetworkingConnectionState_ProblemDetectedLocally:
        gns->CloseConnection(change->m_hConn, 0, nullptr, false);
        ended = true;
        break;
    default: break;
    }
}

void on_log(ESteamNetworkingSocketsDebugOutputType level, const char *text) {
    std::fprintf(stderr, "GNS %d: %s\n", level, text);
    if (level == k_ESteamNetworkingSocketsDebugOutputType_Bug) std::_Exit(EXIT_FAILURE);
}

// Waits one round; returns false when the time is up.
bool wait() {
    gns->RunCallbacks();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Clock::now() < deadline;
}

// GNS delivers what lingers while the process lives, and does not report when that is done.
void linger() {
    for (int i = 0; i < 300; ++i) wait();
}

std::string content(const char *variable) {
    const char *const name = std::getenv(variable);
    if (!name) return "";
    std::ifstream file(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The key goes in first, and then the certificate without it: GNS sends to its peers what it was given last.
void present() {
    const std::string root = content("GNS_PEER_ROOT"), certificate = content("GNS_PEER_CERTIFICATE");
    if (certificate.empty()) return;
    SteamNetworkingErrMsg error;
    SteamNetworkingSocketsLib::SteamNetworkingGlobalLock::Lock("gns_peer");
    if (!SteamNetworkingSocketsLib::CertStore_AddCertFromBase64(root.c_str(), error)) die("no root: %s", error);
    SteamNetworkingSocketsLib::SteamNetworkingGlobalLock::Unlock();
    constexpr size_t key_field = 34;
    for (const std::string &each : {certificate, certificate.substr(key_field)})
        if (!gns->SetCertificate(each.data(), static_cast<int>(each.size()), error)) die("no certificate: %s", error);
    certified = true;
}

SteamNetworkingConfigValue_t option(ESteamNetworkingConfigValue value, int32 number) {
    SteamNetworkingConfigValue_t result;
    result.SetInt32(value, number);
    return result;
}

const SteamNetworkingConfigValue_t options[] = {
    option(k_ESteamNetworkingConfig_SendRateMin, 10'000'000),
    option(k_ESteamNetworkingConfig_SendRateMax, 10'000'000),
    option(k_ESteamNetworkingConfig_SendBufferSize, 8 << 20),
};
constexpr int option_count = 3;

void send(HSteamNetConnection connection, const std::string &data, int flags) {
    const EResult result =
        gns->SendMessageToConnection(connection, data.data(), static_cast<uint32>(data.size()), flags, nullptr);
    if (result != k_EResultOK && result != k_EResultNoConnection) die("cannot send: %d", result);
}

int serve(uint16 port) {
    SteamNetworkingIPAddr address;
    address.Clear();
    address.SetIPv4(0x7f000001, port);
    const HSteamListenSocket socket = gns->CreateListenSocketIP(address, option_count, options);
    if (socket == k_HSteamListenSocket_Invalid) die("cannot listen on port %d", port);
    inbound = gns->CreatePollGroup();
    say("%d\n", port);
    while (wait()) {
        SteamNetworkingMessage_t *message = nullptr;
        while (gns->ReceiveMessagesOnPollGroup(inbound, &message, 1) == 1) {
            const HSteamNetConnection from = message->m_conn;
            const int flags = message->m_nFlags & k_nSteamNetworkingSend_Reliable;
            const std::string data(static_cast<const char *>(message->m_pData), static_cast<size_t>(message->m_cbSize));
            message->Release();
            if (data == "quit") {
                gns->CloseConnection(from, 1042, "quit, as you say", true);
                linger();
                return EXIT_SUCCESS;
            }
            send(from, data, flags);
        }
    }
    die("nobody said quit");
}

std::string pattern(int number, size_t size) {
    std::string data(size, 0);
    for (size_t i = 0; i < size; ++i) data[i] = static_cast<char>(i * 7 + static_cast<size_t>(number) * 31 + 1);
    return data;
}

int connect(const char *host, int port, int count, size_t size) {
    SteamNetworkingIPAddr address;
    if (!address.ParseString((std::string(host) + ":" + std::to_string(port)).c_str())) die("no address: %s", host);
    const HSteamNetConnection own = gns->ConnectByIPAddress(address, option_count, options);
    if (own == k_HSteamNetConnection_Invalid) die("cannot connect");
    while (!connected) {
        if (ended) die("not connected");
        if (!wait()) die("not connected in time");
    }
    int sent = 0, echoed = 0, unreliable = 0;
    while (echoed < count) {
        if (ended) die("ended after %d of %d echoes", echoed, count);
        for (; sent < count && sent < echoed + 8; ++sent) {
            send(own, pattern(sent, size), k_nSteamNetworkingSend_Reliable);
            send(own, "unreliable", k_nSteamNetworkingSend_Unreliable);
        }
        SteamNetworkingMessage_t *message = nullptr;
        while (gns->ReceiveMessagesOnConnection(own, &message, 1) == 1) {
            const std::string data(static_cast<const char *>(message->m_pData), static_cast<size_t>(message->m_cbSize));
            const bool reliable = message->m_nFlags & k_nSteamNetworkingSend_Reliable;
            message->Release();
            if (!reliable && data == "unreliable")
                ++unreliable;
            else if (reliable && data == pattern(echoed, size))
                ++echoed;
            else
                die("echo %d: %zu bytes, %s, are not what was sent", echoed, data.size(),
                    reliable ? "reliable" : "unreliable");
        }
        if (!wait()) die("%d of %d echoes came in time", echoed, count);
    }
    gns->CloseConnection(own, 1234, "peer done", true);
    linger();
    if (unreliable == 0) die("no unreliable message came back");
    say("echoes %d unreliable %d\n", echoed, unreliable);
    return EXIT_SUCCESS;
}

} // namespace

int main(int argc, char **argv) {
    SteamNetworkingUtils()->SetDebugOutputFunction(k_ESteamNetworkingSocketsDebugOutputType_Error, on_log);
    SteamNetworkingErrMsg error;
    if (!GameNetworkingSockets_Init(nullptr, error)) die("cannot start GNS: %s", error);
    gns = SteamNetworkingSockets();
    SteamNetworkingUtils()->SetGlobalCallback_SteamNetConnectionStatusChanged(on_status_changed);
    present();
    int result = EXIT_FAILURE;
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "serve" && argc == 3)
        result = serve(static_cast<uint16>(std::atoi(argv[2])));
    else if (what == "connect" && argc == 6)
        result = connect(argv[2], std::atoi(argv[3]), std::atoi(argv[4]), static_cast<size_t>(std::atol(argv[5])));
    else
        die("gns_peer serve PORT | gns_peer connect HOST PORT COUNT SIZE");
    GameNetworkingSockets_Kill();
    return result;
}
