// Identities as texts.
#pragma once

#include <cstdint>
#include <string>

#include <steam/steamnetworkingtypes.h>

namespace gns_core {

// Returns whether a text is one that GNS can parse, and parses it.
bool parse_identity(const char *text, int32_t size, SteamNetworkingIdentity *identity);

// Returns an identity's canonical text.
std::string text_of(const SteamNetworkingIdentity &identity);

} // namespace gns_core
