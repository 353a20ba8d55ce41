// A round trip to the peer's GNS, without its application. GNS pings by itself from time to time, but has no function
// to ask for a ping. Serving thread only.
#pragma once

#include <cstdint>

#include <steam/steamnetworkingtypes.h>

namespace gns_core {

// Sends a packet that the peer's GNS answers at once. Returns its number, or 0 if the
// connection cannot send yet, or can no longer.
int64_t send_ping(HSteamNetConnection connection);

enum class PingState { under_way, answered, lost };
PingState ping_state(HSteamNetConnection connection, int64_t number);

} // namespace gns_core
