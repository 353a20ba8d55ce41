// GNS's public headers, and the parts of GNS that the core needs but no public header declares. The namespaced ones are
// hidden symbols, reachable because GNS is linked statically.
#pragma once

#include <steam/isteamnetworkingutils.h>
#include <steam/steamnetworkingsockets.h>

STEAMNETWORKINGSOCKETS_INTERFACE void SteamNetworkingSockets_SetManualPollMode(bool enabled);
STEAMNETWORKINGSOCKETS_INTERFACE void SteamNetworkingSockets_Poll(int max_wait_ms);

namespace SteamNetworkingSocketsLib {
// Ends a running SteamNetworkingSockets_Poll.
void WakePoll();
// Releases the ports of closed sockets; needs the global lock. GNS does this late in each poll, and complains if it
// finds a closed one when a poll begins.
void ProcessPendingDestroyClosedRawUDPSockets();
struct SteamNetworkingGlobalLock {
    static void Lock(const char *tag);
    static void Unlock();
};
}

namespace gns_core {

// Holds GNS's global lock while it lives.
struct GlobalLock {
    GlobalLock() { SteamNetworkingSocketsLib::SteamNetworkingGlobalLock::Lock("gns_core"); }
    ~GlobalLock() { SteamNetworkingSocketsLib::SteamNetworkingGlobalLock::Unlock(); }
    GlobalLock(const GlobalLock &) = delete;
    GlobalLock &operator=(const GlobalLock &) = delete;
};

// Makes GNS release the ports of closed sockets now. Serving thread.
inline void free_closed_ports() {
    const GlobalLock lock;
    SteamNetworkingSocketsLib::ProcessPendingDestroyClosedRawUDPSockets();
}

// GNS's clock, in microseconds.
inline int64_t now_us() { return SteamNetworkingUtils()->GetLocalTimestamp(); }

} // namespace gns_core
