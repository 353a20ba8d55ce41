// The flag that says that GNS runs, and the lock that keeps it running during a direct call.
#pragma once

#include <atomic>
#include <shared_mutex>

namespace gns_core {

struct GnsLife {
    std::shared_mutex calls;          // shared by direct calls of GNS, exclusive while GNS starts or stops
    std::atomic<bool> running{false}; // changes under an exclusive `calls`
};

GnsLife &gns_life(); // never destroyed: threads may outlive the interpreter's shutdown

// GNS may be called directly, from any thread, while this is held and true.
class GnsAccess {
public:
    GnsAccess() : lock_(gns_life().calls) {}
    explicit operator bool() const { return gns_life().running.load(std::memory_order_relaxed); }

private:
    std::shared_lock<std::shared_mutex> lock_;
};

} // namespace gns_core
