// Included by GNS's mended sources: what GNS calls when it wants to be served, before it wakes the thread that polls.
#pragma once

#include <atomic>

namespace gns_core {

// Takes the time at which GNS wants to be served, by its own clock, or 0: at once. Returns whether GNS need not wake
// its poll. Called with GNS's locks held.
using ServiceHook = bool (*)(long long at_us);
extern std::atomic<ServiceHook> service_hook; // nullptr: none

inline bool service_wanted(long long at_us) {
    const ServiceHook hook = service_hook.load(std::memory_order_relaxed);
    return hook && hook(at_us);
}

} // namespace gns_core
