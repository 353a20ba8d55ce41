// Options of GNS and of the core, as the rest of the core needs them.
#pragma once

#include <cstdint>
#include <vector>

#include "connection.hpp"

namespace gns_core {

// The effective value for a connection of GNS's.
int32_t native_int(ESteamNetworkingConfigValue value, HSteamNetConnection native);

void apply_limits(Connection &connection, const QueueLimits &limits);
// After anything that may have changed them. Pump thread.
void refresh_send_limits(Connection &connection, HSteamNetConnection native);

// Options at creation, checked: GNS's go to `native`, the core's into `limits`. 0 or an error.
int32_t translate(const gns_option *options, int32_t count, std::vector<SteamNetworkingConfigValue_t> *native, QueueLimits *limits);

} // namespace gns_core
