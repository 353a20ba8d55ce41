// How listen sockets and connections from peer to peer begin. See opening.hpp.
#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "config.hpp"
#include "delivery.hpp"
#include "gns/p2p_connection.hpp"
#include "guard.hpp"
#include "ice_servers.hpp"
#include "identity.hpp"
#include "log_queue.hpp"
#include "pump/opening.hpp"

namespace gns_core {

namespace {

#if defined(_WIN32)
constexpr int32_t address_in_use = 10048; // WSAEADDRINUSE
#else
constexpr int32_t address_in_use = EADDRINUSE;
#endif

using Option = SteamNetworkingConfigValue_t;

const Option *find(const std::vector<Option> &options, ESteamNetworkingConfigValue value) {
    const auto has_value = [value](const Option &option) { return option.m_eValue == value; };
    const auto found = std::find_if(options.rbegin(), options.rend(), has_value); // the last one counts
    return found == options.rend() ? nullptr : &*found;
}

int32_t integer(const std::vector<Option> &options, ESteamNetworkingConfigValue value) {
    if (const Option *const option = find(options, value)) return option->m_val.m_int32;
    int32_t result = 0;
    size_t size = sizeof result;
    SteamNetworkingUtils()->GetConfigValue(value, k_ESteamNetworkingConfig_Global, 0, nullptr, &result, &size);
    return result;
}

std::string text(const std::vector<Option> &options, ESteamNetworkingConfigValue value) {
    if (const Option *const option = find(options, value)) return option->m_val.m_string;
    char result[8192] = "";
    size_t size = sizeof result;
    SteamNetworkingUtils()->GetConfigValue(value, k_ESteamNetworkingConfig_Global, 0, nullptr, result, &size);
    return result;
}

bool is_listening_symmetrically(const GnsHandles &handles, int32_t port) {
    const auto socket = handles.find_listen_socket_p2p(port);
    return socket && GnsHandles::is_symmetric(*socket);
}

// GNS says only in its log why it did not connect.
bool is_duplicate() {
    return std::string(last_error().text).find("xisting symmetric connection") != std::string::npos ||
           std::string(last_error().text).find("Only one symmetric connection") != std::string::npos;
}

} // namespace

// The options of a new listen socket or connection, and its policy.
struct Opening::Wish {
    std::vector<Option> options;
    QueueLimits limits;
    std::shared_ptr<const PeerPolicy> policy;
    int32_t local_port = 0;
    bool symmetric = false;
};

int32_t Opening::read(const P2pEnd &end, const gns_option *options, int32_t count, const gns_peer_policy *policy,
                      Wish *wish) const {
    SteamNetworkingIdentity own;
    SteamNetworkingSockets()->GetIdentity(&own);
    if (own.IsInvalid() || own.IsLocalHost()) return fail(GNS_ERROR_NO_IDENTITY);
    if (end.port < 0 || end.port > GNS_MAX_VIRTUAL_PORT)
        return fail(-k_EResultInvalidParam, "a virtual port is a number from 0 to 65535");
    wish->limits = limits_;
    if (const int32_t error = translate(options, count, &wish->options, &wish->limits)) return error;
    const std::string problem = problem_with_turn(text(wish->options, k_ESteamNetworkingConfig_P2P_TURN_ServerList),
                                                  text(wish->options, k_ESteamNetworkingConfig_P2P_TURN_UserList),
                                                  text(wish->options, k_ESteamNetworkingConfig_P2P_TURN_PassList));
    if (!problem.empty()) return fail(GNS_ERROR_BAD_VALUE, problem);
    if (const int32_t error = read_policy(policy, &wish->policy)) return error;
    if (const int32_t error = check_certificate()) return error;
    const Option *const local_port = find(wish->options, k_ESteamNetworkingConfig_LocalVirtualPort);
    wish->local_port = local_port && local_port->m_val.m_int32 >= 0 ? local_port->m_val.m_int32 : end.port;
    wish->symmetric = integer(wish->options, k_ESteamNetworkingConfig_SymmetricConnect) != 0 ||
                      is_listening_symmetrically(handles_, wish->local_port);
    if (wish->symmetric && end.peer == own)
        return fail(-k_EResultInvalidParam, "a symmetric connection is one with another peer");
    if (wish->symmetric && !find(wish->options, k_ESteamNetworkingConfig_SymmetricConnect)) {
        Option option; // otherwise GNS warns
        option.SetInt32(k_ESteamNetworkingConfig_SymmetricConnect, 1);
        wish->options.push_back(option);
    }
    return 0;
}

int32_t Opening::listen_p2p(const P2pEnd &own, const gns_option *options, int32_t count, const gns_peer_policy *policy,
                            uint64_t *handle) {
    Wish wish;
    if (const int32_t error = read(own, options, count, policy, &wish)) return error;
    const auto in_use = [] {
        return fail(GNS_ERROR_SYSTEM, "another listen socket has this virtual port", address_in_use);
    };
    if (handles_.find_listen_socket_p2p(own.port)) return in_use();
    auto socket = std::make_shared<ListenSocket>();
    const int32_t error = make_in_gns([&] {
        socket->gns_handle = SteamNetworkingSockets()->CreateListenSocketP2P(
            own.port, static_cast<int>(wish.options.size()), wish.options.data());
        return socket->gns_handle != k_HSteamListenSocket_Invalid;
    });
    if (error) // one that is closed here may still have connections that linger
        return std::string(last_error().text).find("Already have a listen socket") == std::string::npos ? error
                                                                                                        : in_use();
    socket->limits = wish.limits;
    socket->mailbox = own.mailbox;
    socket->policy = wish.policy;
    socket->signalling = own.signalling;
    socket->virtual_port = own.port;
    return publish(socket, handle);
}

int32_t Opening::connect_p2p(const P2pEnd &to, const gns_option *options, int32_t count, const gns_peer_policy *policy,
                             uint64_t *handle) {
    if (to.peer.IsInvalid() || to.peer.IsLocalHost() || to.peer.IsFakeIP()) return fail(GNS_ERROR_BAD_IDENTITY);
    Wish wish;
    if (const int32_t error = read(to, options, count, policy, &wish)) return error;
    auto connection = std::make_shared<Connection>();
    connection->mailbox = to.mailbox;
    connection->policy = wish.policy;
    connection->virtual_port = to.port;
    const auto waiting =
        wish.symmetric ? rendezvous_.find_waiting(*to.signalling, text_of(to.peer), wish.local_port, to.port) : nullptr;
    const int32_t error = waiting ? take_over(waiting, wish, connection) : connect_anew(to, wish, connection);
    if (error) return error;
    *handle = connection->handle;
    return 0;
}

int32_t Opening::connect_anew(const P2pEnd &to, const Wish &wish, const std::shared_ptr<Connection> &connection) {
    HSteamNetConnection gns_handle = k_HSteamNetConnection_Invalid;
    std::shared_ptr<SignalPath> path;
    const int32_t error = make_in_gns([&] {
        path = std::make_shared<SignalPath>();
        path->signalling = to.signalling;
        path->key.first = text_of(to.peer);
        path->port = to.port;
        path->peer_port = wish.local_port;
        path->symmetric = wish.symmetric;
        gns_handle = SteamNetworkingSockets()->ConnectP2PCustomSignaling(
            rendezvous_.gns_end(path), &to.peer, to.port, static_cast<int>(wish.options.size()), wish.options.data());
        return gns_handle != k_HSteamNetConnection_Invalid;
    });
    if (error && is_duplicate()) {
        const std::string text(last_error().text); // fail() writes over it
        return fail(-k_EResultDuplicateRequest, text);
    }
    if (error) return error;
    path->gns_handle = gns_handle;
    try {
        rendezvous_.add(path);
    } catch (...) {
        SteamNetworkingSockets()->CloseConnection(gns_handle, GNS_END_INTERNAL_ERROR, no_memory_text, false);
        throw;
    }
    connection->path = std::move(path);
    apply_limits(*connection, wish.limits);
    handles_.adopt(connection, gns_handle);
    return 0;
}

// The peer's request waits to be accepted already. GNS would accept it, too, but not as an application does.
int32_t Opening::take_over(const std::shared_ptr<SignalPath> &path, const Wish &wish,
                           const std::shared_ptr<Connection> &connection) {
    const HSteamNetConnection gns_handle = path->gns_handle;
    const std::shared_ptr<Connection> before = handles_.find(gns_handle); // nullptr: it was not reported yet
    connection->proof = before ? before->proof : peers_.take_arrival(gns_handle);
    PeerFacts facts;
    facts.identity = path->key.first;
    facts.key = connection->proof.key;
    facts.trusted = connection->proof.authenticated;
    const std::string refusal = peers_.judge_now(facts, wish.policy.get());
    if (!refusal.empty()) return fail(GNS_ERROR_CERTIFICATE, refusal);
    for (const Option &option : wish.options) {
        if (option.m_eValue == k_ESteamNetworkingConfig_LocalVirtualPort ||
            option.m_eValue == k_ESteamNetworkingConfig_SymmetricConnect)
            continue; // it has them
        SteamNetworkingUtils()->SetConfigValueStruct(option, k_ESteamNetworkingConfig_Connection, gns_handle);
    }
    const ErrorCapture capture;
    const EResult result = SteamNetworkingSockets()->AcceptConnection(gns_handle);
    if (result != k_EResultOK) return fail(-static_cast<int32_t>(result), capture.text());
    if (before) {
        before->discard.store(true);
        before->gns_handle.store(k_HSteamNetConnection_Invalid);
        handles_.remove(gns_handle);
        push_end(before, k_ESteamNetworkingConnectionState_None, GNS_END_TAKEN_OVER,
                 "this end has connected to the peer itself");
    }
    connection->path = path;
    settle(*connection);
    apply_limits(*connection, wish.limits);
    handles_.adopt(connection, gns_handle);
    if (!before) return 0;
    gns_connection_info info = connection->last_info;
    info.state = k_ESteamNetworkingConnectionState_Connecting; // it was reported as another one
    signals_.add(push(*connection, status_event(connection, k_ESteamNetworkingConnectionState_None, info)));
    return 0;
}

} // namespace gns_core
