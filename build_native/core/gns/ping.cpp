// This file sees GNS's own classes, and is compiled with GNS's settings.
#include <steamnetworkingsockets_connections.h>

#include "gns/ping.hpp"

namespace gns_core {

namespace {

using namespace SteamNetworkingSocketsLib;

constexpr const char *tag = "gns_core ping";

// Opens the protected member with what is sent and not acknowledged.
struct Inside : CSteamNetworkConnectionBase {
    static const SSNPSenderState &sender(const CSteamNetworkConnectionBase &connection) {
        return connection.*&Inside::m_senderState;
    }
};

} // namespace

int64_t send_ping(HSteamNetConnection connection) {
    const SteamNetworkingGlobalLock global(tag);
    ConnectionScopeLock lock;
    CSteamNetworkConnectionBase *const found = GetConnectionByHandle(connection, lock);
    if (!found || found->GetState() != k_ESteamNetworkingConnectionState_Connected || !found->m_pTransport ||
        !found->m_pTransport->BCanSendEndToEndData())
        return 0;
    found->m_pTransport->SendEndToEndStatsMsg(k_EStatsReplyRequest_Immediate,
                                              SteamNetworkingSockets_GetLocalTimestamp(), "Ping");
    return found->m_statsEndToEnd.m_nNextSendSequenceNumber - 1;
}

PingState ping_state(HSteamNetConnection connection, int64_t number) {
    const SteamNetworkingGlobalLock global(tag);
    ConnectionScopeLock lock;
    CSteamNetworkConnectionBase *const found = GetConnectionByHandle(connection, lock);
    if (!found) return PingState::lost;
    const auto &in_flight = Inside::sender(*found).m_mapInFlightPacketsByPktNum;
    const auto packet = in_flight.find(number);
    if (packet == in_flight.end()) return PingState::answered;
    return packet->second.m_bNack ? PingState::lost : PingState::under_way;
}

} // namespace gns_core
