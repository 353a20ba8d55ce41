// The messages of a session as docs/session-protocol.md frames them: DATA, with its number and within the credit that
// the receiver gives, and UNTRACKED. All other frames are the caller's.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "core_api.hpp"
#include "gns/gns_native.hpp"

namespace gns_core {

constexpr uint32_t max_frame_prefix = 11;

// So much, in the life of a session.
struct Credit {
    int64_t bytes;
    int64_t messages;
};

// The way out. Everything under the pump queue's lock.
class FramedSends {
public:
    void allow(uint32_t max_message, Credit credit);
    void hold(int32_t held) { held_ = held; }
    // 0, or why a message must not be sent now. waited: it is one of those that were held back.
    int64_t check(uint32_t size, bool reliable, bool waited) const;
    // Writes what comes before a payload, ending at `end`; returns its size. The message counts as sent.
    uint32_t write_prefix(char *end, uint32_t size, bool reliable, uint16_t lane, int64_t *number);
    // Of the last DATA of each lane.
    const std::vector<int64_t> &numbers() const { return numbers_; }

private:
    bool allowed_ = false;
    int32_t held_ = GNS_HOLD_NONE;
    uint32_t max_message_ = 0;
    Credit credit_{};
    Credit sent_{};
    std::vector<int64_t> numbers_;
};

// The way in. Pump only, but for what is said otherwise.
class FramedReceives {
public:
    // Any thread, once, and before on() is true to the pump.
    void begin(uint32_t max_message, Credit first);
    bool on() const { return on_.load(std::memory_order_acquire); }
    // Any thread: what may come from now on, as all up to the handled-th message that was due has been handled.
    Credit grant(int64_t handled);
    int64_t heard_us() const { return heard_us_.load(std::memory_order_relaxed); }
    struct Taken {
        int64_t number;
        uint32_t prefix; // so much comes before the payload
        bool reliable;
        bool ack_due; // once it is handled, the peer must know
    };
    // Nothing, unless it is a DATA or UNTRACKED frame that may come now.
    std::optional<Taken> take(const SteamNetworkingMessage_t &message);

private:
    std::optional<Taken> take_data(const SteamNetworkingMessage_t &message);
    bool note_due();

    std::atomic<bool> on_{false};
    std::atomic<int64_t> heard_us_{0};
    std::atomic<int64_t> credit_bytes_{0};
    std::atomic<int64_t> credit_messages_{0};
    uint32_t max_message_ = 0;
    Credit first_{};
    Credit came_{};
    std::vector<int64_t> numbers_;
    Credit due_{};     // what had come with the last message that was due
    std::mutex mutex_; // of what follows; a leaf
    std::deque<Credit> ungranted_;
    int64_t granted_ = 0; // so many of those that were due
};

} // namespace gns_core
