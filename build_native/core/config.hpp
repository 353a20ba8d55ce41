// Options of GNS and of the core.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "connection.hpp"

namespace gns_core {

// The value that is in effect for a connection of GNS's, or for a listen socket.
int32_t effective_int(ESteamNetworkingConfigValue value, uint32_t gns_handle,
                      ESteamNetworkingConfigScope scope = k_ESteamNetworkingConfig_Connection);

void apply_limits(Connection &connection, const QueueLimits &limits);
// True if refresh_send_limits must follow a change of this option.
bool has_send_limits(int32_t value);
// Serving thread.
void refresh_send_limits(Connection &connection, HSteamNetConnection gns_handle);

// Checks options for a new object: GNS's go to `gns_options`, the core's into `limits`. 0 or an error.
int32_t translate(const gns_option *options, int32_t count, std::vector<SteamNetworkingConfigValue_t> *gns_options,
                  QueueLimits *limits);

// ---- one option of an object that exists: serving thread; 0 or an error ----

// The object that a scope and a handle name.
struct OptionTarget {
    int32_t scope = GNS_SCOPE_GLOBAL;
    std::shared_ptr<ListenSocket> socket;
    std::shared_ptr<Connection> connection;
    intptr_t gns_handle = 0;
    QueueLimits *limits = nullptr; // nullptr for a connection, which has its own
    QueueLimits outer;             // what a reset goes back to
};

// The checks that need no object; each comes before the function of its name.
int32_t check_settable(const gns_option &option, int32_t scope);
int32_t check_resettable(int32_t value, int32_t scope);
int32_t check_readable(int32_t value, int32_t scope);

int32_t set_option(const OptionTarget &target, const gns_option &option);
int32_t reset_option(const OptionTarget &target, int32_t value);
// result->value says which one. Returns 1 if the value is inherited.
int32_t get_option(const OptionTarget &target, gns_option *result, char *text, int32_t capacity);

// The name of one of the core's own options; nullptr for all others.
const char *own_option_name(int32_t value);

} // namespace gns_core
