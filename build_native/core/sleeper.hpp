// A thread that sleeps between its turns, and how others wake it.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace gns_core {

// The sleeping thread announces its sleep, looks again whether there is anything to do, then sleeps. A thread that has
// something for it to do makes that visible first, then wakes it. So one of the two sees the other, and no wake-up is
// lost.
class Sleeper {
public:
    static constexpr int64_t forever = std::numeric_limits<int64_t>::max();

    // Makes the descriptor that ends a sleep, once in each process. Throws std::system_error.
    void open();

    // ---- the sleeping thread ----

    // From here on a wake() ends the sleep, or prevents it. Returns false if wake() was called already: do not sleep
    // then.
    bool announce(int64_t until_us);
    struct Awake {
        bool woken;
        bool packets; // some are waiting
    };
    // Sleeps as announced. packets: a descriptor that ends the sleep when it is readable; -1: none. Linux only.
    Awake sleep(int packets);
    // Ends the announcement, without a sleep or after one elsewhere. Returns whether wake() was called.
    bool stay_awake();

    // ---- any thread ----

    void wake();
    // Wakes it if it would sleep beyond that time. Only while GNS runs; GNS's locks may be held.
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

// Returns whether packets are waiting at GNS's descriptor.
bool packets_wait(int packets);

} // namespace gns_core
