#include "framing.hpp"

#include <cstring>

namespace gns_core {

namespace {

constexpr uint8_t type_data = 0x10, type_untracked = 0x11;
// An ack is due each time that a quarter of the first credit has been handled since the last one.
constexpr int64_t due_part = 4;

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

int64_t &of_lane(std::vector<int64_t> &numbers, uint16_t lane) {
    if (lane >= numbers.size()) numbers.resize(size_t{lane} + 1);
    return numbers[lane];
}

} // namespace

void FramedSends::allow(uint32_t max_message, Credit credit) {
    allowed_ = true;
    max_message_ = max_message;
    credit_ = credit;
}

int64_t FramedSends::check(uint32_t size, bool reliable, bool waited) const {
    if (!allowed_) return GNS_ERROR_HELD;
    if (!waited && (held_ == GNS_HOLD_ALL || (reliable && held_ == GNS_HOLD_DATA))) return GNS_ERROR_HELD;
    if (size > max_message_) return GNS_ERROR_TOO_LARGE;
    return reliable && (sent_.bytes >= credit_.bytes || sent_.messages >= credit_.messages) ? GNS_ERROR_HELD : 0;
}

uint32_t FramedSends::write_prefix(char *end, uint32_t size, bool reliable, uint16_t lane, int64_t *number) {
    uint8_t prefix[max_frame_prefix];
    uint32_t length = 1;
    prefix[0] = type_untracked;
    if (reliable) {
        prefix[0] = type_data;
        *number = ++of_lane(numbers_, lane);
        length += write_varint(static_cast<uint64_t>(*number), prefix + 1);
        sent_.bytes += size;
        ++sent_.messages;
    }
    std::memcpy(end - length, prefix, length);
    return length;
}

void FramedReceives::begin(uint32_t max_message, Credit first) {
    max_message_ = max_message;
    first_ = first;
    credit_bytes_.store(first.bytes, std::memory_order_relaxed);
    credit_messages_.store(first.messages, std::memory_order_relaxed);
    heard_us_.store(SteamNetworkingUtils()->GetLocalTimestamp(), std::memory_order_relaxed);
    on_.store(true, std::memory_order_release);
}

Credit FramedReceives::grant(int64_t handled) {
    std::lock_guard lock(mutex_);
    for (; granted_ < handled && !ungranted_.empty(); ++granted_) {
        const Credit due = ungranted_.front();
        ungranted_.pop_front();
        credit_bytes_.store(first_.bytes + due.bytes, std::memory_order_relaxed);
        credit_messages_.store(first_.messages + due.messages, std::memory_order_relaxed);
    }
    return {credit_bytes_.load(std::memory_order_relaxed), credit_messages_.load(std::memory_order_relaxed)};
}

bool FramedReceives::note_due() {
    if ((came_.bytes - due_.bytes) * due_part < first_.bytes &&
        (came_.messages - due_.messages) * due_part < first_.messages)
        return false;
    due_ = came_;
    std::lock_guard lock(mutex_);
    ungranted_.push_back(came_);
    return true;
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
        return Taken{message.m_nMessageNumber, 1, false, false};
    default: return std::nullopt;
    }
}

std::optional<FramedReceives::Taken> FramedReceives::take_data(const SteamNetworkingMessage_t &message) {
    if (!(message.m_nFlags & k_nSteamNetworkingSend_Reliable)) return std::nullopt;
    int64_t number;
    const auto size = static_cast<uint32_t>(message.m_cbSize);
    const uint32_t length = read_varint(static_cast<const uint8_t *>(message.m_pData) + 1, size - 1, &number);
    if (length == 0) return std::nullopt;
    const uint32_t payload = size - 1 - length;
    int64_t &last = of_lane(numbers_, message.m_idxLane);
    if (number != last + 1 || payload > max_message_) return std::nullopt;
    // The last message may exceed the credit; and since lanes overtake each other, it need not be the last to arrive.
    if (came_.bytes + payload >= credit_bytes_.load(std::memory_order_relaxed) + max_message_ ||
        came_.messages >= credit_messages_.load(std::memory_order_relaxed))
        return std::nullopt;
    last = number;
    came_.bytes += payload;
    ++came_.messages;
    return Taken{number, 1 + length, true, note_due()};
}

} // namespace gns_core
