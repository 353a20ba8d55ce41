// Decides when the pump takes charge because a guest leaves packets lying.
#pragma once

#include <cstdint>

namespace gns_core {

class Keeper {
public:
    // A guest may be away for this long.
    static constexpr int64_t patience_us = 2'000;

    // Tells the pump how to spend the time until it asks again.
    struct Plan {
        bool takes_over;  // the guest has left packets lying: take charge
        bool watches;     // wake up when packets arrive, too
        int64_t until_us; // wake up then at the latest
    };
    // last_look_us: when the last turn that looked at the sockets ended, whichever thread took it. are_packets_waiting
    // costs a system call, and is called only if its answer matters.
    template <class Packets> Plan plan(int64_t now_us, int64_t last_look_us, const Packets &are_packets_waiting) {
        // The guest was there just now: while it handles one message after another, the pump need not look itself.
        if (now_us < last_look_us + patience_us) {
            waiting_since_us_ = 0;
            return {false, false, last_look_us + patience_us};
        }
        if (!are_packets_waiting()) {
            waiting_since_us_ = 0;
            return {false, true, INT64_MAX};
        }
        if (waiting_since_us_ == 0) waiting_since_us_ = now_us;
        if (now_us < waiting_since_us_ + patience_us) return {false, false, waiting_since_us_ + patience_us};
        waiting_since_us_ = 0;
        return {true, false, now_us};
    }

private:
    int64_t waiting_since_us_ = 0; // packets have been waiting, without a turn; 0: there are none
};

} // namespace gns_core
