// Whether it pays that the thread which waits for messages serves GNS.
#pragma once

#include <atomic>
#include <cstdint>

namespace gns_core {

// It does while messages are few, or each is answered before the next one arrives. It does not when many arrive, since
// then the pump receives while Python handles: more than one at a time, or one after another without an answer. Nor does
// it when what arrives is no message.
class Pace {
public:
    // Notes a guest's turn. found: its own mailbox had something afterwards. Returns whether guests should go on.
    bool note(int messages, bool found, int64_t now_us);
    // Notes a send. Any thread.
    void note_send() { unanswered_.store(0, std::memory_order_relaxed); }
    // Whether the pump should receive for now. Any thread.
    bool is_high(int64_t now_us) const { return now_us < high_until_us_.load(std::memory_order_relaxed); }

private:
    std::atomic<int> unanswered_{0};
    std::atomic<int64_t> high_until_us_{0};
    int64_t unanswered_since_us_ = 0; // this and the next two: guests in their turns only
    int average_ = 0;                 // messages at a time, in 1/16
    int in_vain_ = 0;                 // turns in succession that found nothing
};

} // namespace gns_core
