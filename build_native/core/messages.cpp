#include "messages.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "runtime.hpp"

namespace gns_core {

namespace {
constexpr size_t address_size = sizeof(void *);
}

// Room for a frame's prefix comes before the bytes, if there is any; directly before the first byte of the message,
// wherever that is, stands this payload's address.
struct Payload {
    std::atomic<int32_t> references;
    uint32_t size; // as sent, prefix included
    uint32_t room;
    char *bytes() { return reinterpret_cast<char *>(this + 1) + address_size + room; }
};

namespace {

// GNS adds a header to a reliable message, and counts it against send_buffer_size after the check.
constexpr int64_t framing = 16;

void write_address(const Payload *payload, char *begin) {
    std::memcpy(begin - address_size, static_cast<const void *>(&payload), address_size);
}

Payload *read_address(const void *begin) {
    Payload *payload;
    std::memcpy(static_cast<void *>(&payload), static_cast<const char *>(begin) - address_size, address_size);
    return payload;
}

uint32_t room_for(int32_t flags) { return flags & GNS_SEND_FRAMED ? max_frame_prefix : 0; }

// Returns how many of GNS's segments a message may take, in 1/64: one, and twice what its bytes need, since the end of
// each packet may cut a segment in two.
int64_t cost_of(uint32_t size, int32_t segment_size) { return 64 + 128 * static_cast<int64_t>(size) / segment_size; }

// GNS has no more use for a message: it was sent, or acked if it is reliable, or given up.
void on_freed(SteamNetworkingMessage_t *message) {
    const PayloadPtr payload(read_address(message->m_pData));
    if (auto *const account = reinterpret_cast<SendAccount *>(message->m_nUserData)) {
        account->bytes.fetch_sub(payload->size + framing, std::memory_order_relaxed);
        account->cost.fetch_sub(message->m_nChannel, std::memory_order_relaxed);
        account->messages.fetch_sub(1, std::memory_order_relaxed);
        if (account->watched.load(std::memory_order_relaxed)) runtime().commands.wake();
        release(account);
    }
}

// Writes the frame's type and number before a message. Returns the number, or 0 if it has none.
int64_t frame_locked(FramedSends &sends, SteamNetworkingMessage_t &message) {
    const auto size = static_cast<uint32_t>(message.m_cbSize);
    Payload *const payload = read_address(message.m_pData);
    int64_t number = 0;
    const bool reliable = message.m_nFlags & GNS_SEND_RELIABLE;
    const uint32_t prefix = sends.write_prefix(payload->bytes(), size, reliable, message.m_idxLane, &number);
    char *const begin = payload->bytes() - prefix;
    write_address(payload, begin);
    payload->size = size + prefix;
    message.m_pData = begin;
    message.m_cbSize = static_cast<int>(size + prefix);
    return number;
}

} // namespace

void ReleasePayload::operator()(Payload *payload) const noexcept {
    if (payload->references.fetch_sub(1, std::memory_order_acq_rel) == 1) std::free(payload);
}

PayloadPtr make_payload(const void *data, uint32_t size, int32_t flags) {
    const uint32_t room = room_for(flags);
    void *const memory = std::malloc(sizeof(Payload) + address_size + room + size);
    if (!memory) throw std::bad_alloc();
    PayloadPtr payload(new (memory) Payload{{1}, size, room});
    write_address(payload.get(), payload->bytes());
    if (size > 0) std::memcpy(payload->bytes(), data, size);
    return payload;
}

PayloadPtr share(const PayloadPtr &payload) noexcept {
    payload->references.fetch_add(1, std::memory_order_relaxed);
    return PayloadPtr(payload.get());
}

MessagePtr make_message(PayloadPtr payload, int32_t flags, uint16_t lane) {
    MessagePtr message(SteamNetworkingUtils()->AllocateMessage(0));
    if (!message) throw std::bad_alloc();
    message->m_cbSize = static_cast<int>(payload->size);
    message->m_pData = payload.release()->bytes(); // on_freed releases it
    message->m_pfnFreeData = on_freed;
    message->m_nUserData = 0;
    message->m_nFlags = flags & gns_send_flags;
    message->m_idxLane = lane;
    return message;
}

int64_t check_state(const Connection &connection, int32_t flags) {
    const int32_t state = connection.state.load(std::memory_order_relaxed);
    if (is_over(state)) return -k_EResultNoConnection;
    if ((flags & GNS_SEND_NO_DELAY) && state != k_ESteamNetworkingConnectionState_Connected) return -k_EResultIgnored;
    return 0;
}

int64_t check_size(const Connection &connection, uint32_t size, int32_t flags) {
    const auto limit = static_cast<uint32_t>(connection.send_bytes_limit.load(std::memory_order_relaxed));
    return size > GNS_MAX_MESSAGE_SIZE - room_for(flags) || size + room_for(flags) > limit ? GNS_ERROR_TOO_LARGE : 0;
}

int64_t check_room(const Connection &connection, int64_t size, int64_t cost) {
    const SendAccount &account = *connection.account;
    const bool full = account.bytes.load(std::memory_order_relaxed) + size >
                      connection.send_bytes_limit.load(std::memory_order_relaxed);
    // A message that needs more than all segments by itself must get through at some time.
    const bool fragmented = account.messages.load(std::memory_order_relaxed) > 0 &&
                            account.cost.load(std::memory_order_relaxed) + cost >
                                int64_t{64} * connection.max_segments.load(std::memory_order_relaxed);
    return full || fragmented ? -k_EResultLimitExceeded : 0;
}

int64_t queue_locked(CommandQueue &queue, const std::shared_ptr<Connection> &connection, MessagePtr message,
                     int32_t flags) {
    Connection &target = *connection;
    SendAccount &account = *target.account;
    if (!queue.accepting_locked()) return GNS_ERROR_NOT_RUNNING;
    if (const int64_t error = check_state(target, message->m_nFlags)) return error;
    if (message->m_idxLane >= target.last_number.size()) return -k_EResultInvalidParam;
    const bool framed = flags & GNS_SEND_FRAMED;
    const int64_t size = message->m_cbSize;
    if (framed) {
        const bool reliable = flags & GNS_SEND_RELIABLE, waited = flags & GNS_SEND_WAITED;
        if (const int64_t error = target.framed_sends.check(static_cast<uint32_t>(size), reliable, waited))
            return error;
    }
    const int64_t cost = cost_of(static_cast<uint32_t>(size), target.segment_size.load(std::memory_order_relaxed));
    if (const int64_t error = check_room(target, size, cost)) return error;
    const int64_t frame_number = framed ? frame_locked(target.framed_sends, *message) : 0;
    account.bytes.fetch_add(message->m_cbSize + framing, std::memory_order_relaxed);
    account.cost.fetch_add(cost, std::memory_order_relaxed);
    account.messages.fetch_add(1, std::memory_order_relaxed);
    account.references.fetch_add(1, std::memory_order_relaxed);
    message->m_nUserData = static_cast<int64>(reinterpret_cast<intptr_t>(&account));
    message->m_nChannel = static_cast<int>(cost);
    Command command;
    command.connection = connection;
    command.number = ++target.last_number[message->m_idxLane];
    target.flushed = false;
    command.message = std::move(message);
    const int64_t number = frame_number ? frame_number : command.number;
    queue.push_locked(std::move(command));
    return number;
}

} // namespace gns_core
