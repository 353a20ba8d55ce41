#include "pump/attempts.hpp"

#include <string>

#include "log_queue.hpp"

namespace gns_core {

void Attempts::log(const char *what) noexcept {
    try {
        log_queue().push(k_ESteamNetworkingSocketsDebugOutputType_Error, (std::string("gns_core: ") + what).c_str());
    } catch (...) { // no memory for a log line either
    }
}

} // namespace gns_core
