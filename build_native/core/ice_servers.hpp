// The options that name ICE's servers.
#pragma once

#include <cstdint>

#include <string>

namespace gns_core {

// Returns why a value is not right for this option; "" if it is, or if the option names no servers.
std::string problem_with_servers(int32_t option, const char *value);

// Returns why the lists of TURN do not fit together; "" if they do.
std::string problem_with_turn(const std::string &servers, const std::string &users, const std::string &passwords);

} // namespace gns_core
