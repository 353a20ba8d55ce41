// This file sees GNS's own classes, and is compiled with GNS's settings.
#include <steamnetworkingsockets_connections.h>

#include "gns/end_early.hpp"

namespace gns_core {

using namespace SteamNetworkingSocketsLib;

void end_connection(HSteamNetConnection connection, const char *text) {
    ConnectionScopeLock lock;
    if (CSteamNetworkConnectionBase *const found = GetConnectionByHandle(connection, lock))
        found->ConnectionState_ProblemDetectedLocally(k_ESteamNetConnectionEnd_Misc_Timeout, "%s", text);
}

bool drop_waiting(HSteamNetConnection connection) {
    ConnectionScopeLock lock;
    CSteamNetworkConnectionBase *const found = GetConnectionByHandle(connection, lock);
    if (!found || found->m_hConnectionSelf != connection ||
        found->GetState() != k_ESteamNetworkingConnectionState_FinWait)
        return false;
    found->ConnectionQueueDestroy();
    return true;
}

void bury_dropped() { CSteamNetworkConnectionBase::ProcessDeletionList(); }

} // namespace gns_core
