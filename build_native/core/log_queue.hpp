// GNS's log lines on their way out. Bounded twice: too many similar lines become one, and lines that
// are not fetched are counted and dropped.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "core_api.hpp"
#include "log_limit.hpp"

namespace gns_core {

class LogQueue {
public:
    void push(int32_t level, const char *text);
    int32_t receive(gns_log_record *records, int32_t count, int64_t *dropped);
    bool waiting() const;
    // Reports what was left out at once: no more lines follow.
    void finish();
    std::atomic<int32_t> level;

    LogQueue();

private:
    void report_left_out(int64_t now_us);
    void add(LogLine line);
    std::mutex mutex_;
    std::deque<LogLine> lines_;
    LogLimit limit_;
    int64_t dropped_ = 0;
    std::atomic<int64_t> waiting_since_; // from when on there is something to fetch; may be in the future
};

LogQueue &log_queue();

// Hands GNS the sink and the level; GNS forgets both when it is killed. Serving thread, or while GNS starts.
void attach_log();

// Collects what GNS logs on this thread, at level error or more severe, while it lives:
// GNS says nowhere else why a call failed.
class ErrorCapture {
public:
    ErrorCapture();
    ~ErrorCapture();
    ErrorCapture(const ErrorCapture &) = delete;
    ErrorCapture &operator=(const ErrorCapture &) = delete;
    const std::string &text() const { return text_; }
    void add(const char *text);

private:
    std::string text_;
};

} // namespace gns_core
