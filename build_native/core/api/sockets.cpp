// Listening, connecting, accepting, closing, pairs.
#include <cerrno>

#include "admission.hpp"
#include "config.hpp"
#include "gns/gatekeeper.hpp"
#include "log_queue.hpp"
#include "runtime.hpp"

namespace gns_core {

namespace {

constexpr int32_t first_reason = k_ESteamNetConnectionEnd_App_Min;
constexpr int32_t last_reason = k_ESteamNetConnectionEnd_AppException_Max;

int32_t check_goodbye(int32_t reason, const char *text, int32_t size) {
    // GNS would replace the number, and the text with it.
    if (reason < first_reason || reason > last_reason) return fail(GNS_ERROR_BAD_REASON);
    return is_text(text, size, GNS_MAX_END_TEXT) ? 0 : fail(GNS_ERROR_BAD_TEXT);
}

bool is_out_of_descriptors(int32_t number) {
#if defined(_WIN32)
    return number == 10024 || number == 10055; // WSAEMFILE, WSAENOBUFS: the names come with a listen() of their own
#else
    return number == EMFILE || number == ENFILE;
#endif
}

// GNS says only in its log why it did not make something.
int32_t refused(const ErrorCapture &capture) {
    free_closed_ports(); // it may have opened one already
    if (capture.text().find("Too many connections") != std::string::npos) return fail(-k_EResultLimitExceeded, capture.text());
    const int32_t number = system_error_in(capture.text());
    return fail(number ? GNS_ERROR_SYSTEM : GNS_ERROR_NATIVE, capture.text(), number);
}

// Tries again as long as closed connections can give way: each has a descriptor, and one of GNS's places.
template <class Make> int32_t make_native(const Make &make) {
    for (;;) {
        const ErrorCapture capture;
        if (make()) return 0;
        const int32_t error = refused(capture);
        const bool exhausted = error == -k_EResultLimitExceeded || is_out_of_descriptors(gns_last_error_number());
        if (!exhausted || !runtime().pump.drop_closed()) return error;
    }
}

int32_t listen(const std::shared_ptr<Mailbox> &mailbox, const gns_address &address, const gns_option *options, int32_t count,
               const gns_limits *limits, uint64_t *handle) {
    if (address.port == 0) return fail(-k_EResultInvalidParam, "port 0 is not a port to listen on");
    auto socket = std::make_shared<ListenSocket>();
    socket->limits = runtime().limits;
    std::vector<SteamNetworkingConfigValue_t> native_options;
    if (const int32_t error = translate(options, count, &native_options, &socket->limits)) return error;
    if (limits) {
        if (const int32_t error = check_limits(*limits)) return fail(error);
        socket->admission = std::make_shared<Admission>(*limits);
    }
    const int32_t error = make_native([&] {
        socket->native = SteamNetworkingSockets()->CreateListenSocketIP(
            to_native(address), static_cast<int>(native_options.size()), native_options.data());
        return socket->native != k_HSteamListenSocket_Invalid;
    });
    if (error) return error;
    socket->mailbox = mailbox;
    socket->address = address;
    try {
        set_admission(socket->native, socket->admission);
        *handle = runtime().listen_sockets.insert(socket);
        runtime().pump.adopt(socket);
    } catch (...) { // no memory
        if (socket->handle) runtime().listen_sockets.remove(socket->handle);
        set_admission(socket->native, nullptr);
        SteamNetworkingSockets()->CloseListenSocket(socket->native);
        free_closed_ports();
        throw;
    }
    return 0;
}

int32_t connect(const std::shared_ptr<Mailbox> &mailbox, const gns_address &address, const gns_option *options, int32_t count,
                uint64_t *handle) {
    QueueLimits limits = runtime().limits;
    std::vector<SteamNetworkingConfigValue_t> native_options;
    if (const int32_t error = translate(options, count, &native_options, &limits)) return error;
    auto connection = std::make_shared<Connection>();
    connection->mailbox = mailbox;
    HSteamNetConnection native = k_HSteamNetConnection_Invalid;
    const int32_t error = make_native([&] {
        native = SteamNetworkingSockets()->ConnectByIPAddress(
            to_native(address), static_cast<int>(native_options.size()), native_options.data());
        return native != k_HSteamNetConnection_Invalid;
    });
    if (error) return error;
    apply_limits(*connection, limits);
    runtime().pump.adopt(connection, native);
    *handle = connection->handle;
    return 0;
}

int32_t accept(const std::shared_ptr<Connection> &connection, const std::shared_ptr<Mailbox> &mailbox) {
    if (!connection->inbound) return fail(-k_EResultInvalidParam, "only an inbound connection is accepted");
    const HSteamNetConnection native = connection->native.load();
    if (native == k_HSteamNetConnection_Invalid) return fail(-k_EResultNoConnection);
    // GNS would say so in its log, as an error.
    if (connection->state.load() != k_ESteamNetworkingConnectionState_Connecting) return fail(-k_EResultInvalidState);
    const ErrorCapture capture;
    const EResult result = SteamNetworkingSockets()->AcceptConnection(native);
    if (result != k_EResultOK) return fail(-static_cast<int32_t>(result), capture.text());
    SteamNetConnectionInfo_t info;
    const bool known = SteamNetworkingSockets()->GetConnectionInfo(native, &info);
    if (mailbox) move(*connection, mailbox);
    std::lock_guard lock(connection->end_mutex);
    // Established at once as a rule: the caller may rely on it before the event has been delivered.
    if (known && !connection->ended) {
        connection->last_info = to_info(info, connection->listen_socket);
        connection->state.store(connection->last_info.state);
    }
    return 0;
}

int32_t pair(const std::shared_ptr<Mailbox> mailboxes[2], bool network, const SteamNetworkingIdentity *identities[2], uint64_t *handles[2]) {
    HSteamNetConnection native[2];
    const std::shared_ptr<Connection> connections[2] = {std::make_shared<Connection>(), std::make_shared<Connection>()};
    // GNS takes for each end the identity that it sees, which is the other end's.
    const int32_t error = make_native([&] {
        return SteamNetworkingSockets()->CreateSocketPair(&native[0], &native[1], network, identities[1], identities[0]);
    });
    if (error) return error;
    for (int i = 0; i < 2; ++i) {
        const std::shared_ptr<Connection> &connection = connections[i];
        connection->mailbox = mailboxes[i];
        connection->in_memory = !network;
        apply_limits(*connection, runtime().limits);
        runtime().pump.adopt(connection, native[i]);
        *handles[i] = connection->handle;
    }
    return 0;
}

} // namespace
} // namespace gns_core

using namespace gns_core;

int32_t gns_listen(uint64_t mailbox, const gns_address *address, const gns_option *options, int32_t option_count,
                   const gns_limits *limits, uint64_t *listen_socket) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.find(mailbox);
        if (!found) return not_found();
        return on_pump([&] { return listen(found, *address, options, option_count, limits, listen_socket); });
    });
}

int32_t gns_listen_counters(uint64_t listen_socket, gns_limit_counters *counters) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().listen_sockets.find(listen_socket);
        if (!found) return not_found();
        *counters = found->admission ? found->admission->counters() : gns_limit_counters{};
        return 0;
    });
}

int32_t gns_listen_address(uint64_t listen_socket, gns_address *address) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().listen_sockets.find(listen_socket);
        if (!found) return not_found();
        *address = found->address;
        return 0;
    });
}

int32_t gns_listen_close(uint64_t listen_socket, int32_t reason, const char *text, int32_t size, int32_t linger) {
    return guarded([&]() -> int32_t {
        if (const int32_t error = check_goodbye(reason, text, size)) return error;
        const auto found = runtime().listen_sockets.remove(listen_socket);
        if (!found) return not_found();
        const std::string goodbye(text ? text : "", static_cast<size_t>(size));
        return on_pump([&]() -> int32_t {
            runtime().pump.close_listen_socket(found, reason, goodbye, linger != 0);
            return 0;
        });
    });
}

int32_t gns_connect(uint64_t mailbox, const gns_address *address, const gns_option *options, int32_t option_count,
                    uint64_t *connection) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.find(mailbox);
        if (!found) return not_found();
        return on_pump([&] { return connect(found, *address, options, option_count, connection); });
    });
}

int32_t gns_accept(uint64_t connection, uint64_t mailbox) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        const auto target = mailbox ? runtime().mailboxes.find(mailbox) : nullptr;
        if (mailbox && !target) return not_found();
        return on_pump([&] { return accept(found, target); });
    });
}

int32_t gns_connection_move(uint64_t connection, uint64_t mailbox) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        const auto target = runtime().mailboxes.find(mailbox);
        if (!found || !target) return not_found();
        move(*found, target);
        return 0;
    });
}

int32_t gns_close(uint64_t connection, int32_t reason, const char *text, int32_t size, int32_t linger) {
    return guarded([&]() -> int32_t {
        if (const int32_t error = check_goodbye(reason, text, size)) return error;
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        found->discard.store(true);
        auto close = std::make_unique<Command::Close>(
            Command::Close{reason, linger != 0, std::string(text ? text : "", static_cast<size_t>(size))});
        // First the end, then the handle: who finds the handle dead finds the end told. Of several that close at once, one
        // is the end, and the peer is told the same.
        push_end(found, k_ESteamNetworkingConnectionState_None, reason, close->text);
        if (!runtime().connections.remove(connection)) return not_found();
        said_at_end(*found, &close->reason, &close->text);
        Command command;
        command.connection = found;
        command.close = std::move(close);
        runtime().pump.enqueue(std::move(command)); // if the pump has stopped, it has closed this one
        return 0;
    });
}

int32_t gns_socket_pair(uint64_t mailbox_a, uint64_t mailbox_b, int32_t network, const char *identity_a, int32_t size_a,
                        const char *identity_b, int32_t size_b, uint64_t *connection_a, uint64_t *connection_b) {
    return guarded([&]() -> int32_t {
        const std::shared_ptr<Mailbox> mailboxes[2] = {runtime().mailboxes.find(mailbox_a), runtime().mailboxes.find(mailbox_b)};
        if (!mailboxes[0] || !mailboxes[1]) return not_found();
        SteamNetworkingIdentity identities[2];
        if (size_a && !parse_identity(identity_a, size_a, &identities[0])) return fail(GNS_ERROR_BAD_IDENTITY);
        if (size_b && !parse_identity(identity_b, size_b, &identities[1])) return fail(GNS_ERROR_BAD_IDENTITY);
        const SteamNetworkingIdentity *given[2] = {size_a ? &identities[0] : nullptr, size_b ? &identities[1] : nullptr};
        uint64_t *handles[2] = {connection_a, connection_b};
        return on_pump([&] { return pair(mailboxes, network != 0, given, handles); });
    });
}

int32_t gns_identity_parse(const char *text, int32_t size, char *out) {
    return guarded([&]() -> int32_t {
        SteamNetworkingIdentity identity;
        if (!is_text(text, size, SteamNetworkingIdentity::k_cchMaxString - 1)) return fail(GNS_ERROR_BAD_TEXT);
        if (!parse_identity(text, size, &identity)) return fail(GNS_ERROR_BAD_IDENTITY);
        identity.ToString(out, SteamNetworkingIdentity::k_cchMaxString);
        return 0;
    });
}

int32_t gns_identity(char *out) {
    return guarded([&]() -> int32_t {
        const NativeAccess native;
        if (!native) return fail(GNS_ERROR_NOT_RUNNING);
        SteamNetworkingIdentity identity;
        SteamNetworkingSockets()->GetIdentity(&identity);
        identity.ToString(out, SteamNetworkingIdentity::k_cchMaxString);
        return 0;
    });
}
