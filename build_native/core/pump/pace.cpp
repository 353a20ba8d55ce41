#include "pump/pace.hpp"

#include <algorithm>

namespace gns_core {

namespace {

constexpr int64_t lasts_us = 50'000;
constexpr int unit = 16;
constexpr int many = 2 * unit;   // on average
constexpr int most_counted = 64; // at a time
constexpr int weight = 8;        // of the past
constexpr int longest_run = 16;  // of unanswered messages
constexpr int64_t run_us = int64_t{longest_run} * 200;

} // namespace

void Pace::reset() {
    unanswered_.store(0);
    high_until_us_.store(0);
    one_sided_until_us_.store(0);
    average_ = 0;
}

void Pace::note_turn(int messages, int64_t now_us) {
    if (messages == 0) return;
    average_ += (std::min(messages, most_counted) * unit - average_) / weight;
    if (unanswered_.fetch_add(messages, std::memory_order_relaxed) == 0) unanswered_since_us_ = now_us;
    bool high = average_ >= many;
    if (unanswered_.load(std::memory_order_relaxed) >= longest_run) {
        if (now_us - unanswered_since_us_ < run_us) {
            high = true;
            one_sided_until_us_.store(now_us + lasts_us, std::memory_order_relaxed);
        }
        unanswered_.store(0, std::memory_order_relaxed);
    }
    if (high) high_until_us_.store(now_us + lasts_us, std::memory_order_relaxed);
}

} // namespace gns_core
