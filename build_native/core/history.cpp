#include "history.hpp"

#include <algorithm>

#include "runtime.hpp"

namespace gns_core {

namespace {

constexpr int64_t shortest_interval_us = 1'000;
constexpr int32_t longest = 1'000'000;

} // namespace

void History::note(const gns_sample &sample) {
    // Late ones are not caught up on.
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

using namespace gns_core;

int32_t gns_connection_history_start(uint64_t connection, int64_t interval_us, int32_t capacity) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        if (interval_us < shortest_interval_us || capacity < 0 || capacity > longest) return fail(GNS_ERROR_BAD_VALUE);
        const auto history = capacity > 0 ? std::make_shared<History>(interval_us, capacity) : nullptr;
        return on_pump([&]() -> int32_t {
            runtime().pump.keep_history(found, history);
            return 0;
        });
    });
}

int32_t gns_connection_history(uint64_t connection, gns_sample *samples, int32_t capacity) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        std::shared_ptr<History> history;
        {
            std::lock_guard lock(found->end_mutex);
            history = found->history;
        }
        return history ? history->last(samples, capacity) : 0;
    });
}
