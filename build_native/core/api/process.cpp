// Exported: about the library, and the life cycle.
#include "api/calls.hpp"
#include "identity.hpp"

using namespace gns_core;

int64_t gns_time_us(void) { return now_us(); }
const char *gns_last_error_text(void) { return last_error().text; }
int32_t gns_last_error_number(void) { return last_error().number; }
const char *gns_error_text(int32_t code) { return error_text(code); }

int32_t gns_start(const char *identity, int32_t size) {
    return guarded([&]() -> int32_t {
        SteamNetworkingIdentity parsed;
        std::string canonical;
        if (size > 0) {
            if (!parse_identity(identity, size, &parsed)) return fail(GNS_ERROR_BAD_IDENTITY);
            canonical = text_of(parsed);
        }
        return runtime().start(canonical, parsed);
    });
}

int32_t gns_stop(int64_t linger_us) {
    return guarded([&] { return runtime().stop(linger_us); });
}

int32_t gns_lingering(void) {
    return guarded([] { return on_pump([] { return static_cast<int32_t>(runtime().service.lingering.size()); }); });
}

int32_t gns_running(void) {
    return guarded([]() -> int32_t { return gns_life().running.load() ? 1 : 0; });
}

int32_t gns_identity_parse(const char *text, int32_t size, char *out) {
    return guarded([&]() -> int32_t {
        SteamNetworkingIdentity identity;
        if (!is_text(text, size, SteamNetworkingIdentity::k_cchMaxString - 1)) return fail(GNS_ERROR_BAD_TEXT);
        if (!parse_identity(text, size, &identity)) return fail(GNS_ERROR_BAD_IDENTITY);
        identity.ToString(out, SteamNetworkingIdentity::k_cchMaxString);
        return 0;
    });
}

int32_t gns_identity(char *out) {
    return guarded([&]() -> int32_t {
        const GnsAccess gns;
        if (!gns) return fail(GNS_ERROR_NOT_RUNNING);
        SteamNetworkingIdentity identity;
        SteamNetworkingSockets()->GetIdentity(&identity);
        identity.ToString(out, SteamNetworkingIdentity::k_cchMaxString);
        return 0;
    });
}
