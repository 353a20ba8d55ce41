// The way out: bounds, the copy, the message's number, the pump's queue. GNS itself is called by the pump only.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>

#include "runtime.hpp"

namespace gns_core {

namespace {

constexpr int32_t native_flags = GNS_SEND_NO_NAGLE | GNS_SEND_NO_DELAY | GNS_SEND_RELIABLE;
constexpr int32_t known_flags = native_flags | GNS_SEND_FRAMED | GNS_SEND_WAITED;
// GNS adds a header to a reliable message, and counts it against send_buffer_size after the check.
constexpr int64_t framing = 16;

// The bytes of a message, shared by all connections that it goes to. Room for a frame's prefix comes first, if there is
// any; whatever a message begins with, there is this payload's address before it.
struct Payload {
    std::atomic<int32_t> references;
    uint32_t size; // as sent, prefix included
    uint32_t room;
    char *bytes() { return reinterpret_cast<char *>(this + 1) + sizeof(Payload *) + room; }
};

void write_address(Payload *payload, char *begin) { std::memcpy(begin - sizeof payload, &payload, sizeof payload); }

Payload *read_address(const void *begin) {
    Payload *payload;
    std::memcpy(&payload, static_cast<const char *>(begin) - sizeof payload, sizeof payload);
    return payload;
}

Payload *make_payload(const void *data, uint32_t size, uint32_t room) {
    void *const memory = std::malloc(sizeof(Payload) + sizeof(Payload *) + room + size);
    if (!memory) throw std::bad_alloc();
    auto *const payload = new (memory) Payload{{1}, size, room};
    write_address(payload, payload->bytes());
    if (size > 0) std::memcpy(payload->bytes(), data, size);
    return payload;
}

void release(Payload *payload) {
    if (payload->references.fetch_sub(1, std::memory_order_acq_rel) == 1) std::free(payload);
}

// How many of GNS's segments a message may take, in 1/64: one, and twice what its bytes need, since each packet's end may
// cut one in two.
int64_t cost_of(uint32_t size, int32_t segment_size) { return 64 + 128 * static_cast<int64_t>(size) / segment_size; }

// GNS has no more use for a message: sent, or acked if it is reliable, or given up.
void on_freed(SteamNetworkingMessage_t *message) {
    Payload *const payload = read_address(message->m_pData);
    if (auto *const account = reinterpret_cast<SendAccount *>(message->m_nUserData)) {
        account->bytes.fetch_sub(payload->size + framing, std::memory_order_relaxed);
        account->cost.fetch_sub(message->m_nChannel, std::memory_order_relaxed);
        account->messages.fetch_sub(1, std::memory_order_relaxed);
        if (account->watched.load(std::memory_order_relaxed)) runtime().pump.wake();
        release(account);
    }
    release(payload);
}

// Not on any account yet. Takes one reference of the payload, also when it throws.
MessagePtr make_message(Payload *payload, int32_t flags, uint16_t lane) {
    SteamNetworkingMessage_t *const message = SteamNetworkingUtils()->AllocateMessage(0);
    if (!message) {
        release(payload);
        throw std::bad_alloc();
    }
    message->m_pData = payload->bytes();
    message->m_cbSize = static_cast<int>(payload->size);
    message->m_pfnFreeData = on_freed;
    message->m_nUserData = 0;
    message->m_nFlags = flags & native_flags;
    message->m_idxLane = lane;
    return MessagePtr(message);
}

int64_t check_state(const Connection &connection, int32_t flags) {
    const int32_t state = connection.state.load(std::memory_order_relaxed);
    if (is_over(state)) return -k_EResultNoConnection;
    if ((flags & GNS_SEND_NO_DELAY) && state != k_ESteamNetworkingConnectionState_Connected) return -k_EResultIgnored;
    return 0;
}

uint32_t room_for(int32_t flags) { return flags & GNS_SEND_FRAMED ? max_frame_prefix : 0; }

int64_t check_size(const Connection &connection, uint32_t size, int32_t flags) {
    const auto limit = static_cast<uint32_t>(connection.send_bytes_limit.load(std::memory_order_relaxed));
    return size > GNS_MAX_MESSAGE_SIZE - room_for(flags) || size + room_for(flags) > limit ? GNS_ERROR_TOO_LARGE : 0;
}

int64_t check_room(const Connection &connection, int64_t size, int64_t cost) {
    const SendAccount &account = *connection.account;
    const bool full = account.bytes.load(std::memory_order_relaxed) + size > connection.send_bytes_limit.load(std::memory_order_relaxed);
    // A message that alone needs more than all segments must get through at some time.
    const bool cut = account.messages.load(std::memory_order_relaxed) > 0 &&
                     account.cost.load(std::memory_order_relaxed) + cost >
                         int64_t{64} * connection.max_segments.load(std::memory_order_relaxed);
    return full || cut ? -k_EResultLimitExceeded : 0;
}

// Puts the frame's type and number before a message; the number, or 0 if it has none.
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

// Puts a message on the connection's account and into the queue; its number, or why not. Under the queue's lock.
int64_t queue_locked(Pump &pump, const std::shared_ptr<Connection> &connection, MessagePtr message, int32_t flags) {
    Connection &target = *connection;
    SendAccount &account = *target.account;
    if (!pump.accepting_locked()) return GNS_ERROR_NOT_RUNNING;
    if (const int64_t error = check_state(target, message->m_nFlags)) return error;
    if (message->m_idxLane >= target.last_number.size()) return -k_EResultInvalidParam;
    const bool framed = flags & GNS_SEND_FRAMED;
    if (framed) {
        const auto payload = static_cast<uint32_t>(message->m_cbSize);
        if (const int64_t error = target.framed_sends.check(payload, flags & GNS_SEND_RELIABLE, flags & GNS_SEND_WAITED))
            return error;
    }
    const int64_t size = message->m_cbSize;
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
    pump.enqueue_locked(std::move(command));
    return number;
}

int64_t refuse(int64_t error) { return fail(static_cast<int32_t>(error)); }

} // namespace
} // namespace gns_core

using namespace gns_core;

int64_t gns_send(uint64_t connection, const void *data, uint32_t size, int32_t flags, uint16_t lane) {
    return guarded([&]() -> int64_t {
        if (flags & ~known_flags) return refuse(-k_EResultInvalidParam);
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        if (const int64_t error = check_state(*found, flags)) return refuse(error);
        if (const int64_t error = check_size(*found, size, flags)) return refuse(error);
        if (const int64_t error = check_room(*found, size, 0)) return refuse(error); // before anything is copied
        Pump &pump = runtime().pump;
        MessagePtr message = make_message(make_payload(data, size, room_for(flags)), flags, lane);
        int64_t number;
        {
            std::lock_guard lock(pump.queue_mutex());
            number = queue_locked(pump, found, std::move(message), flags);
        }
        if (number < 0) return refuse(number);
        pump.wake();
        return number;
    });
}

int32_t gns_send_many(uint64_t connection, const void *data, const uint32_t *sizes, int32_t count, int32_t flags, uint16_t lane,
                      int64_t *first_number, int32_t *error) {
    return guarded([&]() -> int32_t {
        *first_number = 0;
        *error = 0;
        if (flags & ~known_flags || count < 0) return fail(-k_EResultInvalidParam);
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        std::vector<MessagePtr> messages;
        messages.reserve(static_cast<size_t>(count));
        const char *next = static_cast<const char *>(data);
        for (int32_t i = 0; i < count; next += sizes[i++]) {
            if (const int64_t bad = check_size(*found, sizes[i], flags)) {
                *error = static_cast<int32_t>(bad);
                break;
            }
            messages.push_back(make_message(make_payload(next, sizes[i], room_for(flags)), flags, lane));
        }
        Pump &pump = runtime().pump;
        int32_t taken = 0;
        {
            std::lock_guard lock(pump.queue_mutex());
            for (MessagePtr &message : messages) {
                const int64_t number = queue_locked(pump, found, std::move(message), flags);
                if (number < 0) {
                    *error = static_cast<int32_t>(number);
                    break;
                }
                if (taken++ == 0) *first_number = number;
            }
        }
        if (taken > 0) pump.wake();
        return taken;
    });
}

int32_t gns_broadcast(const uint64_t *connections, int32_t count, const void *data, uint32_t size, int32_t flags, uint16_t lane,
                      int64_t *results) {
    return guarded([&]() -> int32_t {
        if (flags & ~native_flags || count < 0) return fail(-k_EResultInvalidParam); // framed ones differ in their numbers
        if (size > GNS_MAX_MESSAGE_SIZE) return fail(GNS_ERROR_TOO_LARGE);
        if (!runtime().running.load()) return fail(GNS_ERROR_NOT_RUNNING);
        Payload *const payload = make_payload(data, size, 0);
        const std::unique_ptr<Payload, void (*)(Payload *)> own(payload, [](Payload *mine) { release(mine); });
        std::vector<std::shared_ptr<Connection>> targets(static_cast<size_t>(count));
        std::vector<MessagePtr> messages(static_cast<size_t>(count));
        for (size_t i = 0; i < targets.size(); ++i) {
            targets[i] = runtime().connections.find(connections[i]);
            results[i] = targets[i] ? check_size(*targets[i], size, flags) : GNS_ERROR_BAD_HANDLE;
            if (results[i] < 0) continue;
            payload->references.fetch_add(1, std::memory_order_relaxed);
            messages[i] = make_message(payload, flags, lane);
        }
        Pump &pump = runtime().pump;
        int32_t taken = 0;
        {
            std::lock_guard lock(pump.queue_mutex());
            for (size_t i = 0; i < targets.size(); ++i) {
                if (!messages[i]) continue;
                results[i] = queue_locked(pump, targets[i], std::move(messages[i]), flags);
                if (results[i] > 0) ++taken;
            }
        }
        if (taken > 0) pump.wake();
        return taken;
    });
}

int32_t gns_flush(uint64_t connection) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        if (is_over(found->state.load())) return fail(-k_EResultNoConnection);
        {
            std::lock_guard lock(runtime().pump.queue_mutex());
            if (std::exchange(found->flushed, true)) return 0; // nothing was sent since
        }
        Command command;
        command.task = [found] {
            if (const HSteamNetConnection native = found->native.load()) SteamNetworkingSockets()->FlushMessagesOnConnection(native);
        };
        return runtime().pump.enqueue(std::move(command)) ? 0 : fail(GNS_ERROR_NOT_RUNNING);
    });
}

int32_t gns_configure_lanes(uint64_t connection, int32_t count, const int32_t *priorities, const uint16_t *weights) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        if (count < 1 || count > GNS_MAX_LANES) return fail(-k_EResultInvalidParam, "a connection has 1 to 255 lanes");
        return on_pump([&]() -> int32_t {
            const HSteamNetConnection native = found->native.load();
            if (!native) return fail(-k_EResultNoConnection);
            const EResult result = SteamNetworkingSockets()->ConfigureConnectionLanes(native, count, priorities, weights);
            if (result != k_EResultOK) return fail(-static_cast<int32_t>(result));
            std::lock_guard lock(runtime().pump.queue_mutex());
            found->last_number.resize(static_cast<size_t>(count));
            return 0;
        });
    });
}

int32_t gns_connection_send_queue(uint64_t connection, gns_send_queue *queue) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        queue->bytes = found->account->bytes.load();
        queue->messages = found->account->messages.load();
        queue->segments = (found->account->cost.load() + 63) / 64;
        queue->max_bytes = found->send_bytes_limit.load();
        queue->max_segments = found->max_segments.load();
        return 0;
    });
}

namespace gns_core {
namespace {

// Has the pump look after a connection's waiters and its drain_asked; queued once, however often it is asked.
int32_t watch(const std::shared_ptr<Connection> &connection, const DrainBound *asked) {
    {
        std::lock_guard lock(runtime().pump.queue_mutex());
        if (asked) connection->drain_asked = *asked;
        if (std::exchange(connection->drain_queued, true)) return 0;
    }
    Command command;
    command.task = [connection] { runtime().pump.watch_drain(connection); };
    return runtime().pump.enqueue(std::move(command)) ? 0 : fail(GNS_ERROR_NOT_RUNNING);
}

// In GNS's eyes, which see an end earlier than the core's.
bool lives(const Connection &connection) {
    const NativeAccess native;
    SteamNetConnectionInfo_t info;
    return native && SteamNetworkingSockets()->GetConnectionInfo(connection.native.load(), &info) && !is_over(info.m_eState);
}

} // namespace
} // namespace gns_core

int32_t gns_connection_notify_drained(uint64_t connection, int64_t max_bytes, int64_t max_segments) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        if (max_bytes < 0 || max_segments < 0) return fail(GNS_ERROR_BAD_VALUE);
        const DrainBound bound{max_bytes, max_segments};
        return watch(found, &bound);
    });
}

int32_t gns_connection_wait_drained(uint64_t connection, int64_t timeout_us, int64_t max_bytes, int64_t max_segments) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        if (max_bytes < 0 || max_segments < 0) return fail(GNS_ERROR_BAD_VALUE);
        const DrainBound bound{max_bytes, max_segments};
        found->drain_waiters.fetch_add(1);
        int32_t result = watch(found, nullptr);
        if (result >= 0)
            result = wait_for(*found, timeout_us, [&] { return found->ended || is_drained(*found->account, bound); });
        found->drain_waiters.fetch_sub(1);
        if (result <= 0) return result;
        // What GNS gives up because the connection has ended is not drained; the end itself is about to be told.
        if (!lives(*found)) wait_for(*found, -1, [&] { return found->ended; });
        std::lock_guard lock(found->end_mutex);
        return found->ended ? fail(-k_EResultNoConnection) : 1;
    });
}
