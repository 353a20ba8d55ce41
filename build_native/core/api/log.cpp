// Exported: the log.
#include "api/calls.hpp"
#include "log_queue.hpp"

using namespace gns_core;

int32_t gns_log_set_level(int32_t level) {
    return guarded([&]() -> int32_t {
        if (level < 0 || level > k_ESteamNetworkingSocketsDebugOutputType_Everything) return fail(GNS_ERROR_BAD_VALUE);
        log_queue().level.store(level);
        if (!GnsAccess()) return 0; // gns_start passes it on to GNS
        on_pump([] {                // where GNS logs: GNS does not guard its level and its sink
            attach_log();
            return 0;
        });
        return 0;
    });
}

int32_t gns_log_receive(gns_log_record *records, int32_t count, int64_t *dropped) {
    return guarded([&]() -> int32_t { return log_queue().receive(records, count, dropped); });
}
