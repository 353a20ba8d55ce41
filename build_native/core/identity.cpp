#include "identity.hpp"

#include "gns/gns_native.hpp"
#include "guard.hpp"

namespace gns_core {

bool parse_identity(const char *text, int32_t size, SteamNetworkingIdentity *identity) {
    if (!is_text(text, size, SteamNetworkingIdentity::k_cchMaxString - 1)) return false;
    const std::string terminated(text, static_cast<size_t>(size));
    return identity->ParseString(terminated.c_str());
}

std::string text_of(const SteamNetworkingIdentity &identity) {
    char text[SteamNetworkingIdentity::k_cchMaxString];
    identity.ToString(text, sizeof text);
    return text;
}

} // namespace gns_core
