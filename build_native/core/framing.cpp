#include "framing.hpp"

#include <utility>

namespace gns_core {

namespace {

constexpr uint8_t type_data = 0x10, type_untracked = 0x11;
// An ack is due each time that a quarter of the first credit, or this much, has been handled since the last one.
constexpr int64_t due_part = 4;
constexpr Credit most_undue{1 << 20, 4096};

// Seven bits a byte, the least significant first; the high bit says that another byte follows.
uint32_t write_varint(uint64_t number, uint8_t *out) {
    uint32_t size = 0;
    for (; number >= 0x80; number >>= 7) out[size++] = static_cast<uint8_t>(number | 0x80);
    out[size++] = static_cast<uint8_t>(number);
    return size;
}

// Reads a number that an int64_t can hold, in its shortest form. Returns its size, 0 for everything else.
uint32_t read_varint(const uint8_t *in, uint32_t size, int64_t *number) {
    constexpr uint32_t longest = 9; // 63 bits
    uint64_t value = 0;
    for (uint32_t i = 0; i < size && i < longest; ++i) {
        value |= static_cast<uint64_t>(in[i] & 0x7F) << (7 * i);
        if (in[i] & 0x80) continue;
        if (i > 0 && in[i] == 0) return 0;
        *number = static_cast<int64_t>(value);
        return i + 1;
    }
    return 0;
}

template <class Lane> Lane &of_lane(std::vector<Lane> &lanes, uint16_t lane) {
    if (lane >= lanes.size()) lanes.resize(size_t{lane} + 1);
    return lanes[lane];
}

// For a number that one thread at a time changes.
void raise_to(std::atomic<int64_t> &number, int64_t least) {
    if (number.load(std::memory_order_relaxed) < least) number.store(least, std::memory_order_relaxed);
}

} // namespace

void FramedSends::allow(uint32_t max_message, Credit credit) {
    allowed_ = true;
    max_message_ = max_message;
    credit_ = credit;
}

bool FramedSends::keep(Credit bounds) {
    if (sent_.messages > 0 && !keeps_) return false;
    keeps_ = true;
    bounds_ = bounds;
    return true;
}

bool FramedSends::continue_from(std::vector<int64_t> &&numbers, Credit sent) noexcept {
    if (sent_.messages > 0) return false;
    numbers_ = std::move(numbers);
    sent_ = sent;
    return true;
}

int64_t FramedSends::check(uint32_t size, bool reliable, bool waited) const {
    if (!allowed_ || replaying_) return GNS_ERROR_HELD;
    if (!waited && (held_ == GNS_HOLD_ALL || (reliable && held_ == GNS_HOLD_DATA))) return GNS_ERROR_HELD;
    if (size > max_message_) return GNS_ERROR_TOO_LARGE;
    if (!reliable) return 0;
    const bool spent = sent_.bytes >= credit_.bytes || sent_.messages >= credit_.messages;
    return spent || kept_.bytes() >= bounds_.bytes || kept_.messages() >= bounds_.messages ? GNS_ERROR_HELD : 0;
}

int64_t FramedSends::frame(Payload *payload, bool reliable, uint16_t lane) {
    uint8_t prefix[max_frame_prefix];
    if (!reliable) {
        prefix[0] = type_untracked;
        set_prefix(payload, prefix, 1);
        return 0;
    }
    int64_t &last = of_lane(numbers_, lane);
    if (keeps_) kept_.prepare(lane);
    const int64_t number = ++last;
    sent_.bytes += payload->size;
    ++sent_.messages;
    prefix[0] = type_data;
    set_prefix(payload, prefix, 1 + write_varint(static_cast<uint64_t>(number), prefix + 1));
    if (keeps_) kept_.push(lane, number, share(payload));
    return number;
}

void FramedSends::begin_replay() noexcept {
    kept_.rewind();
    replaying_ = true;
}

Released FramedSends::close() noexcept {
    allowed_ = false;
    return kept_.release_all();
}

void FramedReceives::begin(uint32_t max_message, Credit first) {
    max_message_ = max_message;
    first_ = first;
    credit_bytes_.store(first.bytes, std::memory_order_relaxed);
    credit_messages_.store(first.messages, std::memory_order_relaxed);
    heard_us_.store(SteamNetworkingUtils()->GetLocalTimestamp(), std::memory_order_relaxed);
}

Credit FramedReceives::grant(int64_t handled) {
    std::lock_guard lock(mutex_);
    for (; granted_ < handled && !ungranted_.empty(); ++granted_) {
        const Credit due = ungranted_.front();
        ungranted_.pop_front();
        // The server that had the session before may have given more.
        raise_to(credit_bytes_, first_.bytes + due.bytes);
        raise_to(credit_messages_, first_.messages + due.messages);
    }
    return {credit_bytes_.load(std::memory_order_relaxed), credit_messages_.load(std::memory_order_relaxed)};
}

bool FramedReceives::continue_from(const std::vector<int64_t> &numbers, Credit arrived, Credit may_arrive) {
    if (came_.messages > 0) return false;
    lanes_.reserve(numbers.size());
    lanes_.clear();
    for (const int64_t number : numbers) lanes_.push_back({number, number});
    came_ = due_ = due_before_ = arrived;
    credit_bytes_.store(may_arrive.bytes, std::memory_order_relaxed);
    credit_messages_.store(may_arrive.messages, std::memory_order_relaxed);
    return true;
}

bool FramedReceives::resume(const int64_t *handled, size_t lanes) noexcept {
    for (size_t i = 0; i < lanes; ++i)
        if (handled[i] < 0 || handled[i] > arrived(i)) return false;
    for (size_t i = 0; i < lanes_.size(); ++i) lanes_[i].came = i < lanes ? handled[i] : 0;
    heard_us_.store(SteamNetworkingUtils()->GetLocalTimestamp(), std::memory_order_relaxed);
    return true;
}

bool FramedReceives::is_due(const Credit &came) const {
    const Credit undue{came.bytes - due_.bytes, came.messages - due_.messages};
    return undue.bytes >= most_undue.bytes || undue.messages >= most_undue.messages ||
           undue.bytes * due_part >= first_.bytes || undue.messages * due_part >= first_.messages;
}

std::optional<FramedReceives::Taken> FramedReceives::take(const SteamNetworkingMessage_t &message) {
    heard_us_.store(message.m_usecTimeReceived, std::memory_order_relaxed);
    if (message.m_cbSize < 1 || message.m_idxLane >= GNS_MAX_LANES)
        return std::nullopt; // frames cannot name such a lane
    switch (*static_cast<const uint8_t *>(message.m_pData)) {
    case type_data: return take_data(message);
    case type_untracked:
        if (static_cast<uint32_t>(message.m_cbSize) - 1 > max_message_) return std::nullopt;
        // Never reliable, although GNS sends long ones reliably, whatever they are sent as.
        return Taken{message.m_nMessageNumber, 1, false, false, false};
    default: return std::nullopt;
    }
}

std::optional<FramedReceives::Taken> FramedReceives::take_data(const SteamNetworkingMessage_t &message) {
    if (!(message.m_nFlags & k_nSteamNetworkingSend_Reliable)) return std::nullopt;
    int64_t number;
    const auto size = static_cast<uint32_t>(message.m_cbSize);
    const uint32_t length = read_varint(static_cast<const uint8_t *>(message.m_pData) + 1, size - 1, &number);
    if (length == 0) return std::nullopt;
    const uint32_t prefix = 1 + length, payload = size - prefix;
    Lane &lane = of_lane(lanes_, message.m_idxLane);
    if (number != lane.came + 1 || payload > max_message_) return std::nullopt;
    if (number <= lane.last) {
        lane.came = number;
        return Taken{number, prefix, true, false, true};
    }
    // The last message may exceed the credit; and since lanes overtake each other, it need not be the last to arrive.
    if (came_.bytes + payload >= credit_bytes_.load(std::memory_order_relaxed) + max_message_ ||
        came_.messages >= credit_messages_.load(std::memory_order_relaxed))
        return std::nullopt;
    const Credit came{came_.bytes + payload, came_.messages + 1};
    const bool due = is_due(came);
    if (due) {
        std::lock_guard lock(mutex_);
        ungranted_.push_back(came);
        due_before_ = std::exchange(due_, came);
    }
    came_ = came;
    lane.came = lane.last = number;
    return Taken{number, prefix, true, due, false};
}

void FramedReceives::take_back(const Taken &taken, uint16_t lane, uint32_t size) noexcept {
    if (!taken.reliable || taken.duplicate) return;
    lanes_[lane].came = lanes_[lane].last = taken.number - 1;
    came_.bytes -= size - taken.prefix;
    --came_.messages;
    if (!taken.ack_due) return;
    due_ = due_before_;
    std::lock_guard lock(mutex_);
    if (!ungranted_.empty()) ungranted_.pop_back();
}

} // namespace gns_core
