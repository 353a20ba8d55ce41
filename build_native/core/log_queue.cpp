#include "log_queue.hpp"

#include <cstring>
#include <limits>
#include <new>

#include "guard.hpp"
#include "gns/gns_native.hpp"

namespace gns_core {

namespace {

constexpr size_t kept_lines = 1024;
constexpr int64_t never = std::numeric_limits<int64_t>::max();
thread_local ErrorCapture *capture = nullptr;

// Lines of GNS that take something for a bug or for trouble, mistakenly.
constexpr const char *false_alarms[] = {
    // GNS expects a program, which may be busy, to run its callbacks several times a second. The pump runs them after
    // every poll, so more than a hundred at once only means that as many connections changed in one poll.
    "Callbacks backing up",
    // More lanes while messages are queued: GNS copies its lanes, corrects the messages' pointers to them, and asserts
    // in the old lanes' destructor that they had no messages.
    "Assertion Failed: m_messagesQueued.empty()",
    // Empty unreliable messages: where GNS chooses between lanes, it asserts that every message has a byte left to
    // send. It sends them all the same; other assertions of that function make sure that none is sent beyond its size.
    "Assertion Failed: l.m_cbCurrentSendMessageSent < pNextMsg->m_cbSize",
    // A receiver with very many gaps, on a bad network, merges two: GNS asserts that a gap whose ack is still
    // pending lies before the first such gap, and is due before it. By its own invariant
    // (DebugCheckPacketGapMap) it lies after it.
    "Assertion Failed: itGapToDelete->",
    // A connection has ended since its lanes were counted; the core asks again without them.
    "Connection only has 0 lanes configured",
    // The caller gets an error, and may well be waiting for room, trying again and again.
    "Cannot create IPv4 connection.",
    // Only the pump holds GNS's locks for long; on a loaded machine it is normal that it was not scheduled meanwhile.
    "SteamNetworkingSockets lock held for",
};

bool is_false_alarm(const char *text) {
    for (const char *part : false_alarms)
        if (std::strstr(text, part)) return true;
    return false;
}

void take(ESteamNetworkingSocketsDebugOutputType level, const char *text) {
    constexpr int32_t warning = k_ESteamNetworkingSocketsDebugOutputType_Warning;
    const int32_t wanted = log_queue().level.load(std::memory_order_relaxed);
    const int32_t kept =
        is_false_alarm(text) ? int32_t{k_ESteamNetworkingSocketsDebugOutputType_Debug} : int32_t{level};
    if (capture && level <= k_ESteamNetworkingSocketsDebugOutputType_Error) capture->add(text);
    // GNS sends more than it was asked for only if an option (LogLevel_...) asks for it, perhaps for one connection.
    const bool asked_for = wanted > 0 && level > warning && level > wanted;
    if (kept <= wanted || asked_for) log_queue().push(kept, text);
}

// GNS logs with its locks held, and is compiled without exceptions: this must not throw.
void sink(ESteamNetworkingSocketsDebugOutputType level, const char *text) noexcept {
    try {
        take(level, text);
    } catch (const std::bad_alloc &) { // a line is lost
    }
}

} // namespace

LogQueue::LogQueue() : level(k_ESteamNetworkingSocketsDebugOutputType_Warning), waiting_since_(never) {}

LogQueue &log_queue() {
    static LogQueue *const queue = new LogQueue; // never destroyed: threads may still log while the process exits
    return *queue;
}

void LogQueue::push(int32_t line_level, const char *text) {
    LogLine line{SteamNetworkingUtils()->GetLocalTimestamp(), line_level, text};
    while (!line.text.empty() && (line.text.back() == '\n' || line.text.back() == '\r')) line.text.pop_back();
    std::lock_guard lock(mutex_);
    report_left_out(line.time_us);
    // Details are not limited: a reader who wants them wants all of them.
    if (line_level > k_ESteamNetworkingSocketsDebugOutputType_Warning || limit_.admit(line)) add(std::move(line));
    waiting_since_.store(lines_.empty() ? limit_.due() : 0, std::memory_order_relaxed);
}

void LogQueue::report_left_out(int64_t now_us) {
    std::deque<LogLine> reports;
    limit_.report(now_us, &reports);
    for (LogLine &line : reports) add(std::move(line));
}

void LogQueue::add(LogLine line) {
    if (lines_.size() == kept_lines) {
        lines_.pop_front();
        ++dropped_;
    }
    lines_.push_back(std::move(line));
}

bool LogQueue::waiting() const {
    const int64_t since = waiting_since_.load(std::memory_order_relaxed);
    return since == 0 || (since != never && since <= SteamNetworkingUtils()->GetLocalTimestamp());
}

void LogQueue::finish() {
    std::lock_guard lock(mutex_);
    report_left_out(never);
    waiting_since_.store(lines_.empty() ? never : 0, std::memory_order_relaxed);
}

int32_t LogQueue::receive(gns_log_record *records, int32_t count, int64_t *dropped) {
    const int64_t now = SteamNetworkingUtils()->GetLocalTimestamp();
    std::lock_guard lock(mutex_);
    report_left_out(now);
    int32_t moved = 0;
    for (; moved < count && !lines_.empty(); ++moved) {
        const LogLine &line = lines_.front();
        gns_log_record &record = records[moved];
        record.time_us = line.time_us;
        record.level = line.level;
        copy_text(record.text, sizeof record.text, line.text);
        record.size = static_cast<int32_t>(std::strlen(record.text));
        lines_.pop_front();
    }
    *dropped = dropped_;
    dropped_ = 0;
    waiting_since_.store(lines_.empty() ? limit_.due() : 0, std::memory_order_relaxed);
    return moved;
}

void attach_log() {
    const int32_t level = log_queue().level.load();
    // Bug and error lines always reach the sink: ErrorCapture needs them.
    SteamNetworkingUtils()->SetDebugOutputFunction(
        static_cast<ESteamNetworkingSocketsDebugOutputType>(level > 2 ? level : 2), sink);
}

ErrorCapture::ErrorCapture() { capture = this; }
ErrorCapture::~ErrorCapture() { capture = nullptr; }

void ErrorCapture::add(const char *text) {
    if (!text_.empty()) text_ += "; ";
    text_ += text;
    while (!text_.empty() && (text_.back() == '\n' || text_.back() == ' ')) text_.pop_back();
}

} // namespace gns_core
