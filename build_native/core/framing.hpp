// The messages of a session, framed as docs/session-protocol.md specifies: DATA, with its number and within the credit
// that the receiver gives, and UNTRACKED. All other frames are the caller's business.
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

// Counted over the life of a session.
struct Credit {
    int64_t bytes;
    int64_t messages;
};

// The way out. Everything under the command queue's lock.
class FramedSends {
public:
    void allow(uint32_t max_message, Credit credit);
    void hold(int32_t held) { held_ = held; }
    // Returns 0, or why a message must not be sent now. waited: it is one of those that were held back.
    int64_t check(uint32_t size, bool reliable, bool waited) const;
    // Writes what precedes a payload, ending at `end`, and returns its size. The message counts as sent.
    uint32_t write_prefix(char *end, uint32_t size, bool reliable, uint16_t lane, int64_t *number);
    // The number of the last DATA of each lane.
    const std::vector<int64_t> &numbers() const { return numbers_; }

private:
    bool allowed_ = false;
    int32_t held_ = GNS_HOLD_NONE;
    uint32_t max_message_ = 0;
    Credit credit_{};
    Credit sent_{};
    std::vector<int64_t> numbers_;
};

// The way in. Serving thread only, unless it says otherwise.
class FramedReceives {
public:
    // Any thread, once; on() is true afterwards.
    void begin(uint32_t max_message, Credit first);
    bool on() const { return on_.load(std::memory_order_acquire); }
    // Any thread. See gns_framing_grant; returns what may arrive.
    Credit grant(int64_t handled);
    int64_t heard_us() const { return heard_us_.load(std::memory_order_relaxed); }
    struct Taken {
        int64_t number;
        uint32_t prefix; // bytes before the payload
        bool reliable;
        bool ack_due; // once it is handled, the peer must learn that
    };
    // Returns nothing unless it is a DATA or UNTRACKED frame that may arrive now.
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
    Credit due_{};     // what had arrived with the last message whose ack was due
    std::mutex mutex_; // for the next two; a leaf
    std::deque<Credit> ungranted_;
    int64_t granted_ = 0; // how many of those were granted
};

} // namespace gns_core
