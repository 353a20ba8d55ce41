#include "pump/opening.hpp"

#include <cerrno>
#include <string>
#include <vector>

#include "admission.hpp"
#include "config.hpp"
#include "delivery.hpp"
#include "gns/certificates.hpp"
#include "gns/gatekeeper.hpp"
#include "guard.hpp"
#include "log_queue.hpp"

namespace gns_core {

namespace {

bool is_out_of_descriptors(int32_t number) {
#if defined(_WIN32)
    return number == 10024 || number == 10055; // WSAEMFILE, WSAENOBUFS: the header with these names has a listen(), too
#else
    return number == EMFILE || number == ENFILE;
#endif
}

// GNS says only in its log why it did not make something.
int32_t refused(const ErrorCapture &capture) {
    free_closed_ports(); // it may have opened one already
    const std::string &text = capture.text();
    if (text.find("Too many connections") != std::string::npos) return fail(-k_EResultLimitExceeded, text);
    const int32_t number = system_error_in(text);
    return fail(number ? GNS_ERROR_SYSTEM : GNS_ERROR_NATIVE, text, number);
}

} // namespace

// GNS would go on without it, and peers would see a process that has none.
int32_t Opening::check_certificate() {
    return has_certificate_expired() ? fail(GNS_ERROR_CERTIFICATE, "this process's certificate has expired") : 0;
}

// Tries again as long as closed connections can give way: each has a descriptor, and one of GNS's places.
int32_t Opening::make_in_gns(const std::function<bool()> &make) {
    for (;;) {
        const ErrorCapture capture;
        if (make()) return 0;
        const int32_t error = refused(capture);
        const bool exhausted = error == -k_EResultLimitExceeded || is_out_of_descriptors(last_error().number);
        if (!exhausted || !closing_.drop_closed()) return error;
    }
}

int32_t Opening::listen(const std::shared_ptr<Mailbox> &mailbox, const gns_address &address, const gns_option *options,
                        int32_t count, const gns_limits *limits, const gns_peer_policy *policy, uint64_t *handle) {
    if (address.port == 0) return fail(-k_EResultInvalidParam, "port 0 is not a port to listen on");
    auto socket = std::make_shared<ListenSocket>();
    socket->limits = limits_;
    std::vector<SteamNetworkingConfigValue_t> gns_options;
    if (const int32_t error = translate(options, count, &gns_options, &socket->limits)) return error;
    if (limits) {
        if (const int32_t error = check_limits(*limits)) return fail(error);
        socket->admission = std::make_shared<Admission>(*limits);
    }
    if (const int32_t error = read_policy(policy, &socket->policy)) return error;
    if (const int32_t error = check_certificate()) return error;
    const int32_t error = make_in_gns([&] {
        socket->gns_handle = SteamNetworkingSockets()->CreateListenSocketIP(
            to_gns(address), static_cast<int>(gns_options.size()), gns_options.data());
        return socket->gns_handle != k_HSteamListenSocket_Invalid;
    });
    if (error) return error;
    socket->mailbox = mailbox;
    socket->address = address;
    return publish(socket, handle);
}

int32_t Opening::publish(const std::shared_ptr<ListenSocket> &socket, uint64_t *handle) {
    try {
        set_admission(socket->gns_handle, socket->admission);
        *handle = listen_sockets_.insert(socket);
        handles_.adopt(socket);
    } catch (...) { // no memory
        if (socket->handle) listen_sockets_.remove(socket->handle);
        set_admission(socket->gns_handle, nullptr);
        SteamNetworkingSockets()->CloseListenSocket(socket->gns_handle);
        free_closed_ports();
        throw;
    }
    return 0;
}

int32_t Opening::connect(const std::shared_ptr<Mailbox> &mailbox, const gns_address &address, const gns_option *options,
                         int32_t count, const gns_peer_policy *policy, uint64_t *handle) {
    QueueLimits limits = limits_;
    std::vector<SteamNetworkingConfigValue_t> gns_options;
    if (const int32_t error = translate(options, count, &gns_options, &limits)) return error;
    auto connection = std::make_shared<Connection>();
    connection->mailbox = mailbox;
    if (const int32_t error = read_policy(policy, &connection->policy)) return error;
    if (const int32_t error = check_certificate()) return error;
    HSteamNetConnection gns_handle = k_HSteamNetConnection_Invalid;
    const int32_t error = make_in_gns([&] {
        gns_handle = SteamNetworkingSockets()->ConnectByIPAddress(to_gns(address), static_cast<int>(gns_options.size()),
                                                                  gns_options.data());
        return gns_handle != k_HSteamNetConnection_Invalid;
    });
    if (error) return error;
    apply_limits(*connection, limits);
    handles_.adopt(connection, gns_handle);
    *handle = connection->handle;
    return 0;
}

int32_t Opening::pair(const std::shared_ptr<Mailbox> mailboxes[2], bool network,
                      const SteamNetworkingIdentity *identities[2], uint64_t *handles[2]) {
    HSteamNetConnection gns_handles[2];
    const std::shared_ptr<Connection> connections[2] = {std::make_shared<Connection>(), std::make_shared<Connection>()};
    // For each end GNS takes the identity that this end sees, which is the other end's.
    const int32_t error = make_in_gns([&] {
        return SteamNetworkingSockets()->CreateSocketPair(&gns_handles[0], &gns_handles[1], network, identities[1],
                                                          identities[0]);
    });
    if (error) return error;
    for (int i = 0; i < 2; ++i) {
        const std::shared_ptr<Connection> &connection = connections[i];
        connection->mailbox = mailboxes[i];
        connection->in_memory = !network;
        apply_limits(*connection, limits_);
        handles_.adopt(connection, gns_handles[i]);
        *handles[i] = connection->handle;
    }
    return 0;
}

int32_t Opening::accept(const std::shared_ptr<Connection> &connection, const std::shared_ptr<Mailbox> &mailbox) {
    if (!connection->inbound) return fail(-k_EResultInvalidParam, "only an inbound connection can be accepted");
    const HSteamNetConnection gns_handle = connection->gns_handle.load();
    if (gns_handle == k_HSteamNetConnection_Invalid) return fail(-k_EResultNoConnection);
    // GNS would report this in its log, as an error.
    if (connection->state.load() != k_ESteamNetworkingConnectionState_Connecting) return fail(-k_EResultInvalidState);
    const ErrorCapture capture;
    const EResult result = SteamNetworkingSockets()->AcceptConnection(gns_handle);
    if (result != k_EResultOK) return fail(-static_cast<int32_t>(result), capture.text());
    SteamNetConnectionInfo_t info;
    const bool known = SteamNetworkingSockets()->GetConnectionInfo(gns_handle, &info);
    if (mailbox) move(*connection, mailbox);
    std::lock_guard lock(connection->end_mutex);
    // As a rule it is established at once: the caller may rely on it before the event has been delivered.
    if (known && !connection->ended) {
        connection->last_info = to_info(info, *connection);
        connection->state.store(connection->last_info.state);
    }
    return 0;
}

} // namespace gns_core
