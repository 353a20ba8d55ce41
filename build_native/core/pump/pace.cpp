#include "pump/pace.hpp"

#include <algorithm>

namespace gns_core {

namespace {

constexpr int64_t high_us = 50'000;
constexpr int unit = 16;
constexpr int many = 2 * unit;     // on average
constexpr int most_counted = 64;   // at a time
constexpr int weight = 8;          // of the past
constexpr int longest_run = 16;    // of unanswered messages
constexpr int64_t run_us = longest_run * 200;
constexpr int most_in_vain = 2;

} // namespace

bool Pace::note(int messages, bool found, int64_t now_us) {
    in_vain_ = found ? 0 : in_vain_ + 1;
    if (in_vain_ >= most_in_vain) {
        in_vain_ = 0;
        return false;
    }
    if (messages == 0) return true;
    average_ += (std::min(messages, most_counted) * unit - average_) / weight;
    if (unanswered_.fetch_add(1, std::memory_order_relaxed) == 0) unanswered_since_us_ = now_us;
    bool high = average_ >= many;
    if (unanswered_.load(std::memory_order_relaxed) >= longest_run) {
        high = high || now_us - unanswered_since_us_ < run_us;
        unanswered_.store(0, std::memory_order_relaxed);
    }
    if (!high) return true;
    average_ = unit;
    high_until_us_.store(now_us + high_us, std::memory_order_relaxed);
    return false;
}

} // namespace gns_core
