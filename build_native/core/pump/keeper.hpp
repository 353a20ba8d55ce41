// How the pump keeps an eye on packets while a guest is in charge of them.
#pragma once

#include <cstdint>

namespace gns_core {

class Keeper {
public:
    // A guest may be away for this long.
    static constexpr int64_t patience_us = 2'000;

    // What the pump is to do until it looks again.
    struct Plan {
        bool takes_over;  // the guest has left packets lying: the pump is in charge
        bool watches;     // sleep until packets arrive, too
        int64_t until_us; // sleep until then at the latest
    };
    // last_look_us: when any thread ended a turn that looked at the sockets. are_packets_waiting is called only if that
    // matters.
    template <class Packets> Plan plan(int64_t now_us, int64_t last_look_us, const Packets &are_packets_waiting) {
        // It was there just now. While one message follows another, the pump need not look at the sockets.
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
    int64_t waiting_since_us_ = 0; // packets, and no turn was taken; 0: none
};

} // namespace gns_core
