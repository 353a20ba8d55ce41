// Ends GNS's connections before GNS itself would. With GNS's global lock, and no connection's.
#pragma once

#include <steam/steamnetworkingtypes.h>

namespace gns_core {

// Ends a connection, as a timeout does.
void end_connection(HSteamNetConnection connection, const char *text);
// One that is closed, and only waits for its peer's answer, is gone after the next poll. False if it does not wait.
bool drop_waiting(HSteamNetConnection connection);
// What was dropped is gone now. On the pump thread, outside of a poll.
void bury_dropped();

} // namespace gns_core
