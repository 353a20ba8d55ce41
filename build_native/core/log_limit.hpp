// Keeps lines that a peer can make GNS log from filling the log. GNS limits some such lines itself (three within three
// seconds, all taken together); the rest are limited here, each kind by itself, and those left out are counted.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <vector>

namespace gns_core {

struct LogLine {
    int64_t time_us;
    int32_t level;
    std::string text;
};

class LogLimit {
public:
    // Returns false if the line is one too many of its kind.
    bool admit(const LogLine &line);
    // When report() has something to say; a time_us.
    int64_t due() const { return due_; }
    // Appends a line for each kind that had too many in a window that is over by now.
    void report(int64_t now_us, std::deque<LogLine> *lines);

private:
    struct Kind {
        uint64_t hash;
        int64_t end_us;
        int32_t count;
        LogLine left_out; // the last one
    };
    std::vector<Kind> kinds_; // those of the last seconds
    int64_t due_ = std::numeric_limits<int64_t>::max();
};

} // namespace gns_core
