// Marks the thread that serves GNS.
#pragma once

#include <utility>

namespace gns_core {

// While this lives, its thread serves GNS. It needs no wake-up for something that it leaves for a later turn, since it
// looks for that at the end of its own.
class ServingThread {
public:
    ServingThread() : before_(std::exchange(serves_, true)) {}
    ~ServingThread() { serves_ = before_; }
    ServingThread(const ServingThread &) = delete;
    ServingThread &operator=(const ServingThread &) = delete;
    static bool is_this() { return serves_; }

private:
    inline static thread_local bool serves_ = false;
    const bool before_;
};

} // namespace gns_core
