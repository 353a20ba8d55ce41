#include "history.hpp"

#include <algorithm>

namespace gns_core {

void History::note(const gns_sample &sample) {
    // Missed notes are not made up for.
    due_us_ = std::max(due_us_ + interval_us_, sample.time_us + interval_us_ / 2);
    std::lock_guard lock(mutex_);
    samples_[noted_++ % samples_.size()] = sample;
}

int32_t History::last(gns_sample *samples, int32_t capacity) const {
    std::lock_guard lock(mutex_);
    const uint64_t kept = std::min<uint64_t>(noted_, samples_.size());
    const uint64_t count = std::min<uint64_t>(kept, static_cast<uint64_t>(std::max(capacity, 0)));
    for (uint64_t i = 0; i < count; ++i) samples[i] = samples_[(noted_ - count + i) % samples_.size()];
    return static_cast<int32_t>(count);
}

} // namespace gns_core
