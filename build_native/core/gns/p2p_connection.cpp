// This file sees GNS's own classes, and is compiled with GNS's settings.
#include <steamnetworkingsockets_p2p.h>

#include "gns/p2p_connection.hpp"

namespace gns_core {

namespace {

using namespace SteamNetworkingSocketsLib;

constexpr const char *tag = "gns_core p2p";

CSteamNetworkConnectionP2P *find(HSteamNetConnection connection, ConnectionScopeLock &lock) {
    CSteamNetworkConnectionBase *const found = GetConnectionByHandle(connection, lock);
    return found && found->m_hConnectionSelf == connection ? found->AsSteamNetworkConnectionP2P() : nullptr;
}

Phase phase_of(ESteamNetworkingConnectionState state) {
    switch (state) {
    case k_ESteamNetworkingConnectionState_Connecting: return Phase::connecting;
    case k_ESteamNetworkingConnectionState_FindingRoute: return Phase::finding_route;
    case k_ESteamNetworkingConnectionState_Connected:
    case k_ESteamNetworkingConnectionState_Linger: return Phase::established;
    default: return Phase::over;
    }
}

} // namespace

P2pState p2p_state(HSteamNetConnection connection) {
    const SteamNetworkingGlobalLock global(tag);
    ConnectionScopeLock lock;
    P2pState state;
    if (const CSteamNetworkConnectionP2P *const found = find(connection, lock)) {
        state.phase = phase_of(found->GetState());
        state.peer_asked = found->m_bConnectionInitiatedRemotely;
        state.peer_number = found->m_unConnectionIDRemote;
    }
    return state;
}

void signal_close(HSteamNetConnection connection) {
    const SteamNetworkingGlobalLock global(tag);
    ConnectionScopeLock lock;
    CSteamNetworkConnectionP2P *const found = find(connection, lock);
    if (found && found->GetState() == k_ESteamNetworkingConnectionState_FinWait)
        found->SendConnectionClosedSignal(SteamNetworkingSockets_GetLocalTimestamp());
}

} // namespace gns_core
