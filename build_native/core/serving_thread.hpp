// Which thread serves GNS.
#pragma once

#include <utility>

namespace gns_core {

// While this lives, its thread serves GNS, and looks at everything that it leaves for another turn by itself.
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
