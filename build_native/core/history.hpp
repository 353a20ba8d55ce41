// A connection's recent measurements: a ring of its last statuses, filled by the serving thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "core_api.hpp"

namespace gns_core {

class History {
public:
    History(int64_t interval_us, int32_t capacity)
        : interval_us_(interval_us), samples_(static_cast<size_t>(capacity)) {}

    // Serving thread only: when the next note is due, and making it.
    int64_t due_us() const { return due_us_; }
    void note(const gns_sample &sample);
    // Copies the last notes, oldest first; returns how many.
    int32_t last(gns_sample *samples, int32_t capacity) const;

private:
    const int64_t interval_us_;
    int64_t due_us_ = 0;
    mutable std::mutex mutex_; // for the next two
    std::vector<gns_sample> samples_;
    uint64_t noted_ = 0;
};

} // namespace gns_core
