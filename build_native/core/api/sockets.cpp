// Exported: sockets and connections.
#include "api/calls.hpp"

#include "admission.hpp"
#include "delivery.hpp"
#include "identity.hpp"

namespace {

using namespace gns_core;

int32_t check_goodbye(int32_t reason, const char *text, int32_t size) {
    // GNS would replace the number, and the text with it.
    if (reason < k_ESteamNetConnectionEnd_App_Min || reason > k_ESteamNetConnectionEnd_AppException_Max)
        return fail(GNS_ERROR_BAD_REASON);
    return is_text(text, size, GNS_MAX_END_TEXT) ? 0 : fail(GNS_ERROR_BAD_TEXT);
}

template <class Body> int32_t with_listen_socket(uint64_t handle, const Body &body) noexcept {
    return guarded([&]() -> int32_t {
        const auto found = runtime().listen_sockets.find(handle);
        if (!found) return not_found();
        body(*found);
        return 0;
    });
}

} // namespace

int32_t gns_listen(uint64_t mailbox, const gns_address *address, const gns_option *options, int32_t option_count,
                   const gns_limits *limits, const gns_peer_policy *policy, uint64_t *listen_socket) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.find(mailbox);
        if (!found) return not_found();
        return on_pump([&] {
            return runtime().service.opening.listen(found, *address, options, option_count, limits, policy,
                                                    listen_socket);
        });
    });
}

int32_t gns_listen_counters(uint64_t listen_socket, gns_limit_counters *counters) {
    return with_listen_socket(listen_socket, [&](const ListenSocket &found) {
        *counters = found.admission ? found.admission->counters() : gns_limit_counters{};
    });
}

int32_t gns_listen_address(uint64_t listen_socket, gns_address *address) {
    return with_listen_socket(listen_socket, [&](const ListenSocket &found) { *address = found.address; });
}

int32_t gns_listen_close(uint64_t listen_socket, int32_t reason, const char *text, int32_t size, int32_t linger) {
    return guarded([&]() -> int32_t {
        if (const int32_t error = check_goodbye(reason, text, size)) return error;
        const auto found = runtime().listen_sockets.remove(listen_socket);
        if (!found) return not_found();
        const std::string goodbye(text ? text : "", static_cast<size_t>(size));
        return on_pump([&]() -> int32_t {
            runtime().service.closing.close_listen_socket(found, reason, goodbye, linger != 0);
            return 0;
        });
    });
}

int32_t gns_connect(uint64_t mailbox, const gns_address *address, const gns_option *options, int32_t option_count,
                    const gns_peer_policy *policy, uint64_t *connection) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.find(mailbox);
        if (!found) return not_found();
        return on_pump([&] {
            return runtime().service.opening.connect(found, *address, options, option_count, policy, connection);
        });
    });
}

int32_t gns_accept(uint64_t connection, uint64_t mailbox) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        const auto target = mailbox ? runtime().mailboxes.find(mailbox) : nullptr;
        if (mailbox && !target) return not_found();
        return on_pump([&] { return Opening::accept(found, target); });
    });
}

int32_t gns_connection_move(uint64_t connection, uint64_t mailbox) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        const auto target = runtime().mailboxes.find(mailbox);
        if (!target) return not_found();
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
        // First the end, then the handle: a caller that finds the handle dead finds the end reported. Of several
        // threads that close at once, one sets the end, and the peer is given that one.
        push_end(found, k_ESteamNetworkingConnectionState_None, reason, close->text);
        if (!runtime().connections.remove(connection)) return not_found();
        said_at_end(*found, &close->reason, &close->text);
        Command command;
        command.connection = found;
        command.close = std::move(close);
        runtime().commands.push(std::move(command)); // if the pump has stopped, it has closed this one
        return 0;
    });
}

int32_t gns_socket_pair(uint64_t mailbox_a, uint64_t mailbox_b, int32_t network, const char *identity_a, int32_t size_a,
                        const char *identity_b, int32_t size_b, uint64_t *connection_a, uint64_t *connection_b) {
    return guarded([&]() -> int32_t {
        const std::shared_ptr<Mailbox> mailboxes[2] = {runtime().mailboxes.find(mailbox_a),
                                                       runtime().mailboxes.find(mailbox_b)};
        if (!mailboxes[0] || !mailboxes[1]) return not_found();
        SteamNetworkingIdentity identities[2];
        if (size_a && !parse_identity(identity_a, size_a, &identities[0])) return fail(GNS_ERROR_BAD_IDENTITY);
        if (size_b && !parse_identity(identity_b, size_b, &identities[1])) return fail(GNS_ERROR_BAD_IDENTITY);
        const SteamNetworkingIdentity *given[2] = {size_a ? &identities[0] : nullptr,
                                                   size_b ? &identities[1] : nullptr};
        uint64_t *handles[2] = {connection_a, connection_b};
        return on_pump([&] { return runtime().service.opening.pair(mailboxes, network != 0, given, handles); });
    });
}
