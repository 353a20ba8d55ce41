// A round trip to the peer's GNS, without its application. GNS pings by itself, now and then; it has no function to ask
// for one. On the pump thread only.
#pragma once

#include <cstdint>

#include <steam/steamnetworkingtypes.h>

namespace gns_core {

// Sends a packet that the peer's GNS answers at once: its number, or 0 if the connection cannot send yet or any more.
int64_t send_ping(HSteamNetConnection connection);

enum class PingState { under_way, answered, lost };
PingState ping_state(HSteamNetConnection connection, int64_t number);

} // namespace gns_core
