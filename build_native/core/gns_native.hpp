// GNS's public headers, and the three functions that it exports or defines without declaring them in one.
#pragma once

#include <steam/isteamnetworkingutils.h>
#include <steam/steamnetworkingsockets.h>

STEAMNETWORKINGSOCKETS_INTERFACE void SteamNetworkingSockets_SetManualPollMode(bool enabled);
STEAMNETWORKINGSOCKETS_INTERFACE void SteamNetworkingSockets_Poll(int max_wait_ms);

namespace SteamNetworkingSocketsLib {
// Ends a running SteamNetworkingSockets_Poll. Reachable because GNS is linked statically.
void WakeServiceThread();
}
