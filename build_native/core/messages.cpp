#include "messages.hpp"

#include <atomic>
#include <new>
#include <utility>

#include "runtime.hpp"
#include "stream.hpp"

namespace gns_core {

namespace {

// GNS adds a header to a reliable message, and counts it against send_buffer_size after the check.
constexpr int64_t framing = 16;

// Returns how many of GNS's segments a message may take, in 1/64: one, and twice what its bytes need, since the end of
// each packet may cut a segment in two.
int64_t cost_of(uint32_t size, int32_t segment_size) { return 64 + 128 * static_cast<int64_t>(size) / segment_size; }

// GNS has no more use for a message: it was sent, or acked if it is reliable, or given up.
void on_freed(SteamNetworkingMessage_t *message) {
    const PayloadPtr payload(payload_at(message->m_pData));
    if (auto *const account = reinterpret_cast<SendAccount *>(message->m_nUserData)) {
        account->bytes.fetch_sub(payload->size + framing, std::memory_order_relaxed);
        account->cost.fetch_sub(message->m_nChannel, std::memory_order_relaxed);
        account->messages.fetch_sub(1, std::memory_order_relaxed);
        if (account->watched.load(std::memory_order_relaxed)) runtime().commands.wake();
        release(account);
    }
}

} // namespace

MessagePtr make_message(PayloadPtr payload, int32_t flags, uint16_t lane) {
    MessagePtr message(SteamNetworkingUtils()->AllocateMessage(0));
    if (!message) throw std::bad_alloc();
    message->m_cbSize = static_cast<int>(payload->size);
    message->m_pData = payload.release()->begin(); // on_freed releases it
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

namespace {

// Puts a message that may be sent on the connection's account and into the queue, where there is room for it. Returns
// its number.
int64_t enqueue_locked(CommandQueue &queue, const std::shared_ptr<Connection> &connection, MessagePtr message,
                       int64_t cost) noexcept {
    Connection &target = *connection;
    SendAccount &account = *target.account;
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
    const int64_t number = command.number;
    queue.push_locked(std::move(command));
    return number;
}

int64_t cost_on(const Connection &connection, int64_t size) {
    return cost_of(static_cast<uint32_t>(size), connection.segment_size.load(std::memory_order_relaxed));
}

} // namespace

int64_t queue_locked(CommandQueue &queue, const std::shared_ptr<Connection> &connection, MessagePtr message,
                     int32_t flags) {
    Connection &target = *connection;
    if (!queue.accepting_locked()) return GNS_ERROR_NOT_RUNNING;
    if (const int64_t error = check_state(target, message->m_nFlags)) return error;
    const uint16_t lane = message->m_idxLane;
    if (lane >= target.last_number.size()) return -k_EResultInvalidParam;
    const bool framed = flags & GNS_SEND_FRAMED, reliable = flags & GNS_SEND_RELIABLE;
    const int64_t size = message->m_cbSize;
    if (framed) {
        if (!target.stream) return GNS_ERROR_HELD;
        const bool waited = flags & GNS_SEND_WAITED;
        if (const int64_t error = target.stream->sends.check(static_cast<uint32_t>(size), reliable, waited))
            return error;
    }
    const int64_t cost = cost_on(target, size);
    if (const int64_t error = check_room(target, size, cost)) return error;
    queue.prepare_locked(); // from here on nothing fails but frame(), which then has changed nothing
    if (!framed) return enqueue_locked(queue, connection, std::move(message), cost);
    Payload *const payload = payload_at(message->m_pData);
    const int64_t frame_number = target.stream->sends.frame(payload, reliable, lane);
    message->m_pData = payload->begin();
    message->m_cbSize = static_cast<int>(payload->size);
    const int64_t number = enqueue_locked(queue, connection, std::move(message), cost);
    return reliable ? frame_number : number;
}

int64_t replay_locked(CommandQueue &queue, const std::shared_ptr<Connection> &connection, FramedSends &sends,
                      int64_t most) {
    constexpr int32_t flags = GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE;
    const Connection &target = *connection;
    Kept &kept = sends.kept();
    if (!queue.accepting_locked()) return GNS_ERROR_NOT_RUNNING;
    if (const int64_t error = check_state(target, flags)) return error;
    if (kept.lanes_left() > target.last_number.size()) return GNS_ERROR_BAD_VALUE;
    int64_t queued = 0;
    for (; queued < most && kept.left() > 0; ++queued) {
        const auto [payload, lane] = kept.next();
        if (const int64_t error = check_size(target, payload->size, flags)) return error;
        const int64_t cost = cost_on(target, payload->size);
        if (check_room(target, payload->size, cost)) break;
        queue.prepare_locked();
        enqueue_locked(queue, connection, make_message(share(payload), flags, lane), cost);
        kept.advance(lane);
    }
    if (kept.left() == 0) sends.end_replay();
    return queued;
}

} // namespace gns_core
