#include "pump/status_changes.hpp"

#include <mutex>
#include <utility>

#include "config.hpp"
#include "delivery.hpp"
#include "gns/ping.hpp"

namespace gns_core {

void StatusChanges::take(const Change &change) noexcept {
    if (const std::shared_ptr<Connection> connection = handles_.find(change.m_hConn)) {
        attempts_.run(connection, [&] {
            if (is_over(change.m_info.m_eState))
                end(connection, change);
            else
                advance(connection, change);
        });
        return;
    }
    if (change.m_eOldState != k_ESteamNetworkingConnectionState_None ||
        change.m_info.m_eState != k_ESteamNetworkingConnectionState_Connecting || !change.m_info.m_hListenSocket)
        return; // the echo of our own close
    attempts_.run(nullptr, [&] { accept_inbound(change); });
}

void StatusChanges::advance(const std::shared_ptr<Connection> &connection, const Change &change) {
    const gns_connection_info info = to_info(change.m_info, *connection);
    if (info.state != k_ESteamNetworkingConnectionState_Connecting) settle(*connection);
    connection->route = info.route;
    Event event = status_event(connection, change.m_eOldState, info);
    {
        std::lock_guard lock(connection->end_mutex);
        if (connection->ended) return;
        connection->state.store(info.state);
        connection->last_info = info;
    }
    signals_.add(push(*connection, std::move(event)));
    if (info.state != k_ESteamNetworkingConnectionState_Connected) return;
    // A client with nothing to say would say nothing for ten seconds, and count as half
    // open: it answers a ping at once.
    const auto socket = listen_sockets_.find(connection->listen_socket);
    if (socket && socket->admission) send_ping(change.m_hConn);
}

void StatusChanges::end(const std::shared_ptr<Connection> &connection, const Change &change) {
    receiving_.receive_rest(connection, change.m_hConn);
    SteamNetConnectionRealTimeStatus_t status;
    if (SteamNetworkingSockets()->GetConnectionRealTimeStatus(change.m_hConn, &status, 0, nullptr) == k_EResultOK) {
        std::lock_guard lock(connection->end_mutex);
        connection->last_status = to_status(status);
    }
    gns_connection_info info = to_info(change.m_info, *connection);
    info.route = connection->route; // the last one
    push_end(connection, info);
    // Everything is in the mailbox by now, so GNS's own part can go: if it were forgotten, it would leak.
    closing_.close_gns(*connection, 0, nullptr, false);
}

void StatusChanges::accept_inbound(const Change &change) {
    ISteamNetworkingSockets *const sockets = SteamNetworkingSockets();
    const std::shared_ptr<ListenSocket> socket = handles_.find_listen_socket(change.m_info.m_hListenSocket);
    if (!socket) {
        sockets->CloseConnection(change.m_hConn, GNS_END_GOING_AWAY, "the listen socket is closed", false);
        return;
    }
    std::shared_ptr<Connection> connection;
    try {
        connection = std::make_shared<Connection>();
    } catch (...) {
        sockets->CloseConnection(change.m_hConn, GNS_END_INTERNAL_ERROR, no_memory_text, false);
        throw;
    }
    connection->inbound = true;
    connection->listen_socket = socket->handle;
    connection->mailbox = socket->mailbox;
    connection->proof = peers_.take_arrival(change.m_hConn);
    connection->path = rendezvous_.find(change.m_hConn);
    connection->virtual_port = socket->virtual_port;
    connection->last_info = to_info(change.m_info, *connection);
    handles_.adopt(connection, change.m_hConn);
    apply_limits(*connection, socket->limits);
    try {
        Event event = status_event(connection, k_ESteamNetworkingConnectionState_None, connection->last_info);
        event.new_state = k_ESteamNetworkingConnectionState_Connecting;
        signals_.add(push(*connection, std::move(event)));
    } catch (...) { // its owner has not heard of it
        closing_.close_gns(*connection, GNS_END_INTERNAL_ERROR, no_memory_text, false);
        connections_.remove(connection->handle);
        throw;
    }
}

} // namespace gns_core
