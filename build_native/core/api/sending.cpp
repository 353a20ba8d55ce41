// Exported: sending.
#include "api/calls.hpp"
#include "messages.hpp"

namespace {

using namespace gns_core;

int64_t refuse(int64_t error) { return fail(static_cast<int32_t>(error)); }

// Makes the pump look after a connection's waiters and its drain_asked; queued once, however often it is asked for.
int32_t watch(const std::shared_ptr<Connection> &connection, const DrainBound *asked) {
    {
        std::lock_guard lock(runtime().commands.mutex());
        if (asked) connection->drain_asked = *asked;
        if (std::exchange(connection->drain_queued, true)) return 0;
    }
    return queue_on_pump([connection] { runtime().service.drains.watch(connection); });
}

// Returns whether it has not ended in GNS's eyes, which see an end earlier than the core's.
bool lives(const Connection &connection) {
    const GnsAccess gns;
    SteamNetConnectionInfo_t info;
    return gns && SteamNetworkingSockets()->GetConnectionInfo(connection.gns_handle.load(), &info) &&
           !is_over(info.m_eState);
}

} // namespace

int64_t gns_send(uint64_t connection, const void *data, uint32_t size, int32_t flags, uint16_t lane) {
    return guarded([&]() -> int64_t {
        if (flags & ~send_flags) return refuse(-k_EResultInvalidParam);
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        if (const int64_t error = check_state(*found, flags)) return refuse(error);
        if (const int64_t error = check_size(*found, size, flags)) return refuse(error);
        if (const int64_t error = check_room(*found, size, 0)) return refuse(error); // before anything is copied
        CommandQueue &commands = runtime().commands;
        MessagePtr message = make_message(make_payload(data, size, room_for(flags)), flags, lane);
        int64_t number;
        {
            std::lock_guard lock(commands.mutex());
            number = queue_locked(commands, found, std::move(message), flags);
        }
        if (number < 0) return refuse(number);
        runtime().guests.send_queued(flags & GNS_SEND_NO_NAGLE);
        return number;
    });
}

int32_t gns_send_many(uint64_t connection, const void *data, const uint32_t *sizes, int32_t count, int32_t flags,
                      uint16_t lane, int64_t *first_number, int32_t *error) {
    return guarded([&]() -> int32_t {
        *first_number = 0;
        *error = 0;
        if (flags & ~send_flags || count < 0) return fail(-k_EResultInvalidParam);
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
        CommandQueue &commands = runtime().commands;
        int32_t taken = 0;
        {
            std::lock_guard lock(commands.mutex());
            for (MessagePtr &message : messages) {
                const int64_t number = queue_locked(commands, found, std::move(message), flags);
                if (number < 0) {
                    *error = static_cast<int32_t>(number);
                    break;
                }
                if (taken++ == 0) *first_number = number;
            }
        }
        if (taken > 0) runtime().guests.send_queued(flags & GNS_SEND_NO_NAGLE);
        return taken;
    });
}

int32_t gns_broadcast(const uint64_t *connections, int32_t count, const void *data, uint32_t size, int32_t flags,
                      uint16_t lane, int64_t *results) {
    return guarded([&]() -> int32_t {
        // Framed messages differ in their numbers.
        if (flags & ~gns_send_flags || count < 0) return fail(-k_EResultInvalidParam);
        if (size > GNS_MAX_MESSAGE_SIZE) return fail(GNS_ERROR_TOO_LARGE);
        if (!gns_life().running.load()) return fail(GNS_ERROR_NOT_RUNNING);
        const PayloadPtr payload = make_payload(data, size, 0);
        std::vector<std::shared_ptr<Connection>> targets(static_cast<size_t>(count));
        std::vector<MessagePtr> messages(static_cast<size_t>(count));
        for (size_t i = 0; i < targets.size(); ++i) {
            targets[i] = runtime().connections.find(connections[i]);
            results[i] = targets[i] ? check_size(*targets[i], size, flags) : GNS_ERROR_BAD_HANDLE;
            if (results[i] == 0) messages[i] = make_message(share(payload.get()), flags, lane);
        }
        CommandQueue &commands = runtime().commands;
        int32_t taken = 0;
        {
            std::lock_guard lock(commands.mutex());
            for (size_t i = 0; i < targets.size(); ++i) {
                if (!messages[i]) continue;
                results[i] = queue_locked(commands, targets[i], std::move(messages[i]), flags);
                if (results[i] > 0) ++taken;
            }
        }
        if (taken > 0) runtime().guests.send_queued(flags & GNS_SEND_NO_NAGLE);
        return taken;
    });
}

int32_t gns_flush(uint64_t connection) {
    return with_connection(connection, [](const std::shared_ptr<Connection> &found) -> int32_t {
        if (is_over(found->state.load())) return fail(-k_EResultNoConnection);
        {
            std::lock_guard lock(runtime().commands.mutex());
            if (std::exchange(found->flushed, true)) return 0; // nothing was sent since the last flush
        }
        return queue_on_pump([found] {
            const HSteamNetConnection gns_handle = found->gns_handle.load();
            if (gns_handle) SteamNetworkingSockets()->FlushMessagesOnConnection(gns_handle);
        });
    });
}

int32_t gns_configure_lanes(uint64_t connection, int32_t count, const int32_t *priorities, const uint16_t *weights) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        if (count < 1 || count > GNS_MAX_LANES) return fail(-k_EResultInvalidParam, "a connection has 1 to 255 lanes");
        return on_pump([&]() -> int32_t {
            const HSteamNetConnection gns_handle = found->gns_handle.load();
            if (!gns_handle) return fail(-k_EResultNoConnection);
            const EResult result =
                SteamNetworkingSockets()->ConfigureConnectionLanes(gns_handle, count, priorities, weights);
            if (result != k_EResultOK) return fail(-static_cast<int32_t>(result));
            std::lock_guard lock(runtime().commands.mutex());
            found->last_number.resize(static_cast<size_t>(count));
            return 0;
        });
    });
}

int32_t gns_connection_send_queue(uint64_t connection, gns_send_queue *queue) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        queue->bytes = found->account->bytes.load();
        queue->messages = found->account->messages.load();
        queue->segments = (found->account->cost.load() + 63) / 64;
        queue->max_bytes = found->send_bytes_limit.load();
        queue->max_segments = found->max_segments.load();
        return 0;
    });
}

int32_t gns_connection_notify_drained(uint64_t connection, int64_t max_bytes, int64_t max_segments) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        if (max_bytes < 0 || max_segments < 0) return fail(GNS_ERROR_BAD_VALUE);
        const DrainBound bound{max_bytes, max_segments};
        return watch(found, &bound);
    });
}

int32_t gns_connection_wait_drained(uint64_t connection, int64_t timeout_us, int64_t max_bytes, int64_t max_segments) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        if (max_bytes < 0 || max_segments < 0) return fail(GNS_ERROR_BAD_VALUE);
        const DrainBound bound{max_bytes, max_segments};
        found->drain_waiters.fetch_add(1);
        int32_t result = watch(found, nullptr);
        if (result >= 0)
            result = runtime().guests.wait(*found, timeout_us,
                                           [&] { return found->ended || is_drained(*found->account, bound); });
        found->drain_waiters.fetch_sub(1);
        if (result <= 0) return result;
        // Data that GNS gives up because the connection has ended is not drained; the end is about to be reported.
        if (!lives(*found)) runtime().guests.wait(*found, -1, [&] { return found->ended; });
        std::lock_guard lock(found->end_mutex);
        return found->ended ? fail(-k_EResultNoConnection) : 1;
    });
}
