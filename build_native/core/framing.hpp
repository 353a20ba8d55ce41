// The messages of a session, framed as docs/session-protocol.md specifies: DATA, with its number and within the credit
// that the receiver gives, and UNTRACKED. All other frames are the caller's business.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <vector>

#include "core_api.hpp"
#include "gns/gns_native.hpp"
#include "kept.hpp"

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
    // See gns_stream_keep; returns false if that is too late.
    bool keep(Credit bounds);
    // Returns 0, or why a message must not be sent now. waited: it is one of those that were held back.
    int64_t check(uint32_t size, bool reliable, bool waited) const;
    // Puts a frame's prefix before a payload, which has room for it. The message counts as sent; if this throws, it
    // does not. Returns DATA's number, or 0.
    int64_t frame(Payload *payload, bool reliable, uint16_t lane);
    // See gns_stream_continue; returns false if that is too late.
    bool continue_from(std::vector<int64_t> &&numbers, Credit sent) noexcept;
    // The number of the last DATA of each lane.
    const std::vector<int64_t> &numbers() const { return numbers_; }

    Kept &kept() { return kept_; }
    // Holds everything until what is kept was sent again.
    void begin_replay() noexcept;
    void end_replay() noexcept { replaying_ = false; }
    bool replaying() const { return replaying_; }
    // Nothing may be sent again, ever.
    Released close() noexcept;

private:
    bool allowed_ = false;
    bool keeps_ = false;
    bool replaying_ = false;
    int32_t held_ = GNS_HOLD_NONE;
    uint32_t max_message_ = 0;
    Credit credit_{};
    Credit sent_{};
    Credit bounds_{std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::max()}; // of what is kept
    std::vector<int64_t> numbers_;
    Kept kept_;
};

// The way in. Serving thread only, unless it says otherwise.
class FramedReceives {
public:
    // Any thread, before the first message.
    void begin(uint32_t max_message, Credit first);
    // Any thread. See gns_stream_grant; returns what may arrive.
    Credit grant(int64_t handled);
    int64_t heard_us() const { return heard_us_.load(std::memory_order_relaxed); }
    // The number of the last DATA that has arrived on a lane.
    int64_t arrived(size_t lane) const { return lane < lanes_.size() ? lanes_[lane].last : 0; }
    // See gns_stream_continue; returns false if that is too late. may_arrive: what the peer may have sent in all.
    bool continue_from(const std::vector<int64_t> &numbers, Credit arrived, Credit may_arrive);
    // See gns_stream_resume; returns false if a number is not one that has arrived, with nothing changed.
    bool resume(const int64_t *handled, size_t lanes) noexcept;
    struct Taken {
        int64_t number;
        uint32_t prefix; // bytes before the payload
        bool reliable;
        bool ack_due;   // once it is handled, the peer must learn that
        bool duplicate; // it had arrived before
    };
    // Returns nothing unless it is a DATA or UNTRACKED frame that may arrive now.
    std::optional<Taken> take(const SteamNetworkingMessage_t &message);
    // The message that was taken last has not arrived after all.
    void take_back(const Taken &taken, uint16_t lane, uint32_t size) noexcept;

private:
    // Numbers of DATA. They differ while what had arrived before comes again.
    struct Lane {
        int64_t came = 0; // the last one on this connection
        int64_t last = 0; // the last one that has arrived
    };
    std::optional<Taken> take_data(const SteamNetworkingMessage_t &message);
    bool is_due(const Credit &came) const;

    std::atomic<int64_t> heard_us_{0};
    std::atomic<int64_t> credit_bytes_{0};
    std::atomic<int64_t> credit_messages_{0};
    uint32_t max_message_ = 0;
    Credit first_{};
    Credit came_{};
    std::vector<Lane> lanes_;
    Credit due_{};        // what had arrived with the last message whose ack was due
    Credit due_before_{}; // with the one before that
    std::mutex mutex_;    // for the next two; a leaf
    std::deque<Credit> ungranted_;
    int64_t granted_ = 0; // how many of those were granted
};

} // namespace gns_core
