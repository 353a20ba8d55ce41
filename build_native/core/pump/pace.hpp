// The pace of messages, which decides which thread serves GNS, and how often.
#pragma once

#include <atomic>
#include <cstdint>

namespace gns_core {

class Pace {
public:
    // Forgets everything: GNS starts. Serving thread.
    void reset();
    // Notes a turn that looked at the sockets. Serving thread.
    void note_turn(int messages, int64_t now_us);
    // Notes a send. Any thread.
    void note_send() { unanswered_.store(0, std::memory_order_relaxed); }

    // Returns whether many messages arrive at a time, or one after another without an answer: then it is better that
    // the pump receives while Python handles. Any thread.
    bool is_high(int64_t now_us) const { return now_us < high_until_us_.load(std::memory_order_relaxed); }
    // Returns whether many arrive without an answer. No one waits for the next one then, so packets may gather for a
    // moment. Any thread.
    bool is_one_sided(int64_t now_us) const { return now_us < one_sided_until_us_.load(std::memory_order_relaxed); }

private:
    std::atomic<int> unanswered_{0};
    std::atomic<int64_t> high_until_us_{0};
    std::atomic<int64_t> one_sided_until_us_{0};
    int64_t unanswered_since_us_ = 0; // this and the next: serving thread only; see note_turn
    int average_ = 0;                 // messages at a time, in 1/16
};

} // namespace gns_core
