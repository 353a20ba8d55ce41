// A thread that sleeps between its turns, and how others wake it.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace gns_core {

// The sleeping thread announces its sleep, looks again whether there is anything to do, then sleeps. A thread that has
// something for it to do says so first and wakes it then. So one of the two sees the other, and no wake-up is lost.
class Sleeper {
public:
    static constexpr int64_t forever = std::numeric_limits<int64_t>::max();

    // Makes what the sleep needs, once in each process. Throws std::system_error.
    void open();

    // ---- the sleeping thread ----

    // From here on a wake() ends the sleep, or makes it none. Returns false if it was woken already: it is to stay awake.
    bool announce(int64_t until_us);
    struct Awake {
        bool woken;
        bool packets; // are waiting
    };
    // Sleeps as announced. packets: a descriptor that ends the sleep when it is readable; -1: none. Linux only.
    Awake sleep(int packets);
    // Instead of a sleep, or after one by other means. Returns whether it was woken.
    bool stay_awake();

    // ---- any thread ----

    void wake();
    // Wakes it if it would sleep beyond that time. While GNS runs; GNS's locks may be held.
    void wake_before(int64_t at_us) {
        if (until_us_.load() > at_us) rouse();
    }

private:
    void rouse();

    std::atomic<int64_t> until_us_{0}; // 0: awake
    std::atomic<bool> woken_{false};
    [[maybe_unused]] int descriptor_ = -1; // this and the next on Linux only
    [[maybe_unused]] int process_ = 0;
};

// Whether packets wait at GNS's descriptor now.
bool packets_wait(int packets);

} // namespace gns_core
