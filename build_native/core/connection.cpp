#include "connection.hpp"

#include <cstring>

#include "guard.hpp"
#include "sleeper.hpp"

namespace gns_core {

void Connection::notify_changed() {
    changed.notify_all();
    if (leader) leader->wake();
}

gns_address to_address(const SteamNetworkingIPAddr &from) {
    gns_address address{};
    std::memcpy(address.ip, from.m_ipv6, sizeof address.ip);
    address.port = from.m_port;
    return address;
}

SteamNetworkingIPAddr to_gns(const gns_address &address) {
    SteamNetworkingIPAddr to;
    to.SetIPv6(address.ip, address.port);
    return to;
}

namespace {

int32_t route_of(const SteamNetConnectionInfo_t &info) {
    if (info.m_nFlags & k_nSteamNetworkConnectionInfoFlags_Relayed) return GNS_ROUTE_RELAYED;
    if (info.m_addrRemote.IsIPv6AllZeros()) return GNS_ROUTE_UNKNOWN;
    return info.m_nFlags & k_nSteamNetworkConnectionInfoFlags_Fast ? GNS_ROUTE_LOCAL : GNS_ROUTE_DIRECT;
}

}

gns_connection_info to_info(const SteamNetConnectionInfo_t &from, const Connection &connection) {
    gns_connection_info info{};
    info.listen_socket = connection.listen_socket;
    info.user_data = from.m_nUserData;
    info.state = from.m_eState < 0 ? int32_t{k_ESteamNetworkingConnectionState_None} : int32_t{from.m_eState};
    info.end_reason = from.m_eEndReason;
    info.flags = from.m_nFlags;
    info.remote_address = to_address(from.m_addrRemote);
    from.m_identityRemote.ToString(info.identity, sizeof info.identity);
    copy_text(info.end_text, sizeof info.end_text, from.m_szEndDebug);
    copy_text(info.description, sizeof info.description, from.m_szConnectionDescription);
    info.authenticated = connection.proof.authenticated ? 1 : 0;
    info.peer_key_expires = connection.proof.key_expires;
    info.virtual_port = connection.virtual_port;
    if (connection.virtual_port >= 0) info.route = route_of(from);
    std::memcpy(info.peer_key, connection.proof.key.data(), sizeof info.peer_key);
    return info;
}

gns_connection_status to_status(const SteamNetConnectionRealTimeStatus_t &from) {
    gns_connection_status status{};
    status.state = from.m_eState;
    status.ping_ms = from.m_nPing;
    status.quality_local = from.m_flConnectionQualityLocal;
    status.quality_remote = from.m_flConnectionQualityRemote;
    status.out_packets_per_second = from.m_flOutPacketsPerSec;
    status.out_bytes_per_second = from.m_flOutBytesPerSec;
    status.in_packets_per_second = from.m_flInPacketsPerSec;
    status.in_bytes_per_second = from.m_flInBytesPerSec;
    status.send_rate = from.m_nSendRateBytesPerSecond;
    status.pending_unreliable = from.m_cbPendingUnreliable;
    status.pending_reliable = from.m_cbPendingReliable;
    status.sent_unacked_reliable = from.m_cbSentUnackedReliable;
    status.queue_time_us = from.m_usecQueueTime;
    status.max_jitter_us = from.m_usecMaxJitter;
    return status;
}

} // namespace gns_core
