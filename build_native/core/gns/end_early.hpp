// Ends GNS's connections before GNS itself would. The caller holds GNS's global lock, and no connection's.
#pragma once

#include <steam/steamnetworkingtypes.h>

namespace gns_core {

// Ends a connection the way a timeout does.
void end_connection(HSteamNetConnection connection, const char *text);
// Drops a connection that is closed and only waits for its peer's answer: it is gone after the next
// poll. Returns false if it does not wait.
bool drop_waiting(HSteamNetConnection connection);
// Removes what was dropped right now. Serving thread, outside of a poll.
void bury_dropped();

} // namespace gns_core
