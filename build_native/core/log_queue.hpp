// GNS's log lines on their way out. Bounded: lines that nobody fetches are counted and dropped.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "core_api.hpp"

namespace gns_core {

class LogQueue {
public:
    void push(int32_t level, const char *text);
    int32_t receive(gns_log_record *records, int32_t count, int64_t *dropped);
    bool waiting() const { return waiting_.load(std::memory_order_relaxed); }
    std::atomic<int32_t> level;

    LogQueue();

private:
    struct Line {
        int64_t time_us;
        int32_t level;
        std::string text;
    };
    std::mutex mutex_;
    std::deque<Line> lines_;
    int64_t dropped_ = 0;
    std::atomic<bool> waiting_{false};
};

LogQueue &log_queue();

// Hands GNS the sink and the level; GNS forgets both when it is killed. Pump thread, or while GNS comes up.
void attach_log();

// What GNS logged on this thread, at level error or graver, since the scope began: GNS tells why a call failed nowhere else.
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
