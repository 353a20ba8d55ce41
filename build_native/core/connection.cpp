#include "connection.hpp"

#include <cstring>

#include "guard.hpp"
#include "mailbox.hpp"

namespace gns_core {

gns_address to_address(const SteamNetworkingIPAddr &native) {
    gns_address address{};
    std::memcpy(address.ip, native.m_ipv6, sizeof address.ip);
    address.port = native.m_port;
    return address;
}

SteamNetworkingIPAddr to_native(const gns_address &address) {
    SteamNetworkingIPAddr native;
    native.SetIPv6(address.ip, address.port);
    return native;
}

gns_connection_info to_info(const SteamNetConnectionInfo_t &native, uint64_t listen_socket) {
    gns_connection_info info{};
    info.listen_socket = listen_socket;
    info.user_data = native.m_nUserData;
    info.state = native.m_eState < 0 ? int32_t{k_ESteamNetworkingConnectionState_None} : int32_t{native.m_eState};
    info.end_reason = native.m_eEndReason;
    info.flags = native.m_nFlags;
    info.remote_address = to_address(native.m_addrRemote);
    native.m_identityRemote.ToString(info.identity, sizeof info.identity);
    copy_text(info.end_text, sizeof info.end_text, native.m_szEndDebug);
    copy_text(info.description, sizeof info.description, native.m_szConnectionDescription);
    return info;
}

gns_connection_status to_status(const SteamNetConnectionRealTimeStatus_t &native) {
    gns_connection_status status{};
    status.state = native.m_eState;
    status.ping_ms = native.m_nPing;
    status.quality_local = native.m_flConnectionQualityLocal;
    status.quality_remote = native.m_flConnectionQualityRemote;
    status.out_packets_per_second = native.m_flOutPacketsPerSec;
    status.out_bytes_per_second = native.m_flOutBytesPerSec;
    status.in_packets_per_second = native.m_flInPacketsPerSec;
    status.in_bytes_per_second = native.m_flInBytesPerSec;
    status.send_rate = native.m_nSendRateBytesPerSecond;
    status.pending_unreliable = native.m_cbPendingUnreliable;
    status.pending_reliable = native.m_cbPendingReliable;
    status.sent_unacked_reliable = native.m_cbSentUnackedReliable;
    status.queue_time_us = native.m_usecQueueTime;
    status.max_jitter_us = native.m_usecMaxJitter;
    return status;
}

bool parse_identity(const char *text, int32_t size, SteamNetworkingIdentity *identity) {
    if (!is_text(text, size, SteamNetworkingIdentity::k_cchMaxString - 1)) return false;
    const std::string terminated(text, static_cast<size_t>(size));
    return identity->ParseString(terminated.c_str());
}

void move(Connection &connection, const std::shared_ptr<Mailbox> &mailbox) {
    {
        std::lock_guard lock(connection.end_mutex);
        if (connection.mailbox == mailbox) return;
        connection.mailbox->move_events(connection, *mailbox);
        connection.mailbox = mailbox;
    }
    mailbox->signal();
}

std::shared_ptr<Mailbox> push(Connection &connection, Event event) {
    std::lock_guard lock(connection.end_mutex);
    if (connection.ended || !connection.mailbox->push(std::move(event))) return nullptr;
    return connection.mailbox;
}

bool push_end(const std::shared_ptr<Connection> &connection, const gns_connection_info &info) {
    Event event;
    event.kind = GNS_EVENT_STATUS;
    event.new_state = info.state;
    event.code = info.end_reason;
    event.time_us = SteamNetworkingUtils()->GetLocalTimestamp();
    event.connection = connection;
    event.info = std::make_unique<gns_connection_info>(info);
    std::shared_ptr<Mailbox> mailbox;
    {
        std::lock_guard lock(connection->end_mutex);
        if (connection->ended) return false;
        mailbox = connection->mailbox;
        const int32_t old_state = event.old_state = connection->state.exchange(info.state);
        try {
            mailbox->push(std::move(event));
        } catch (...) { // no memory: it has not ended
            connection->state.store(old_state);
            throw;
        }
        connection->ended = true;
        connection->last_info = info;
        connection->changed.notify_all();
    }
    mailbox->signal();
    return true;
}

bool push_end(const std::shared_ptr<Connection> &connection, int32_t state, int32_t reason, std::string_view text) {
    gns_connection_info info;
    {
        std::lock_guard lock(connection->end_mutex);
        info = connection->last_info;
    }
    info.state = state;
    info.end_reason = reason;
    copy_text(info.end_text, sizeof info.end_text, text);
    return push_end(connection, info);
}

void said_at_end(Connection &connection, int32_t *reason, std::string *text) {
    std::lock_guard lock(connection.end_mutex);
    if (!connection.ended || connection.last_info.state != k_ESteamNetworkingConnectionState_None) return;
    *reason = connection.last_info.end_reason;
    *text = connection.last_info.end_text;
}

} // namespace gns_core
