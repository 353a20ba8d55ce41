// Exported: about a connection.
#include <cstring>

#include "api/calls.hpp"
#include "history.hpp"

namespace {

using namespace gns_core;

constexpr int64_t shortest_interval_us = 1'000;
constexpr int32_t longest_history = 1'000'000;

bool has_ended(Connection &connection, gns_connection_info *info, gns_connection_status *status) {
    std::lock_guard lock(connection.end_mutex);
    if (info) *info = connection.last_info;
    if (status) *status = connection.last_status;
    return connection.ended;
}

int32_t ask_for_pong(const std::shared_ptr<Connection> &connection) {
    if (is_over(connection->state.load())) return fail(-k_EResultNoConnection);
    return queue_on_pump([connection] { runtime().service.pings.ask(connection); });
}

// Runs task(GNS's handle) on the pump; NoConnection if it has ended.
template <class Task> int32_t in_gns(const Connection &connection, const Task &task) {
    return on_pump([&]() -> int32_t {
        const HSteamNetConnection gns_handle = connection.gns_handle.load();
        return gns_handle ? task(gns_handle) : fail(-k_EResultNoConnection);
    });
}

gns_lane_status to_lane_status(const SteamNetConnectionRealTimeLaneStatus_t &from) {
    gns_lane_status lane{};
    lane.pending_unreliable = from.m_cbPendingUnreliable;
    lane.pending_reliable = from.m_cbPendingReliable;
    lane.sent_unacked_reliable = from.m_cbSentUnackedReliable;
    lane.queue_time_us = from.m_usecQueueTime;
    return lane;
}

} // namespace

int32_t gns_connection_state(uint64_t connection) {
    return with_connection(connection, [](const std::shared_ptr<Connection> &found) { return found->state.load(); });
}

int32_t gns_connection_wait_ended(uint64_t connection, int64_t timeout_us) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) {
        return runtime().guests.wait(*found, timeout_us, [&] { return found->ended; });
    });
}

int32_t gns_connection_info_get(uint64_t connection, gns_connection_info *info) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        const GnsAccess gns;
        SteamNetConnectionInfo_t now;
        if (has_ended(*found, info, nullptr) || !gns) return 0;
        if (!SteamNetworkingSockets()->GetConnectionInfo(found->gns_handle.load(), &now)) {
            has_ended(*found, info, nullptr); // by now it has
            return 0;
        }
        std::lock_guard lock(found->end_mutex);
        *info = to_info(now, *found);
        return 0;
    });
}

int32_t gns_connection_status_get(uint64_t connection, gns_connection_status *status, int32_t lane_count,
                                  gns_lane_status *lanes) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        {
            std::lock_guard lock(runtime().commands.mutex());
            if (lane_count < 0 || lane_count > static_cast<int32_t>(found->last_number.size()))
                return fail(-k_EResultInvalidParam);
        }
        for (int32_t i = 0; i < lane_count; ++i) lanes[i] = gns_lane_status{};
        const GnsAccess gns;
        if (has_ended(*found, nullptr, status) || !gns) return 0;
        SteamNetConnectionRealTimeStatus_t now;
        std::vector<SteamNetConnectionRealTimeLaneStatus_t> gns_lanes(static_cast<size_t>(lane_count));
        const auto ask = [&] {
            return SteamNetworkingSockets()->GetConnectionRealTimeStatus(
                found->gns_handle.load(), &now, static_cast<int>(gns_lanes.size()), gns_lanes.data());
        };
        EResult result = ask();
        if (result == k_EResultInvalidParam) { // it has just ended, and no longer has lanes
            gns_lanes.clear();
            result = ask();
        }
        if (result != k_EResultOK) return has_ended(*found, nullptr, status) ? 0 : fail(-static_cast<int32_t>(result));
        *status = to_status(now);
        for (size_t i = 0; i < gns_lanes.size(); ++i) lanes[i] = to_lane_status(gns_lanes[i]);
        return 0;
    });
}

int32_t gns_connection_history_start(uint64_t connection, int64_t interval_us, int32_t capacity) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        if (interval_us < shortest_interval_us || capacity < 0 || capacity > longest_history)
            return fail(GNS_ERROR_BAD_VALUE);
        const auto history = capacity > 0 ? std::make_shared<History>(interval_us, capacity) : nullptr;
        return on_pump([&]() -> int32_t {
            runtime().service.histories.keep(found, history);
            return 0;
        });
    });
}

int32_t gns_connection_history(uint64_t connection, gns_sample *samples, int32_t capacity) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        std::shared_ptr<History> history;
        {
            std::lock_guard lock(found->end_mutex);
            history = found->history;
        }
        return history ? history->last(samples, capacity) : 0;
    });
}

int32_t gns_connection_ping(uint64_t connection) { return with_connection(connection, ask_for_pong); }

int32_t gns_connection_wait_pong(uint64_t connection, int64_t timeout_us, int64_t *round_trip_us) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        int64_t before;
        {
            std::lock_guard lock(found->end_mutex);
            before = found->pongs;
        }
        if (const int32_t error = ask_for_pong(found)) return error;
        const int32_t result =
            runtime().guests.wait(*found, timeout_us, [&] { return found->ended || found->pongs > before; });
        if (result <= 0) return result;
        std::lock_guard lock(found->end_mutex);
        if (found->pongs == before) return fail(-k_EResultNoConnection);
        *round_trip_us = found->round_trip_us;
        return 1;
    });
}

int32_t gns_connection_details(uint64_t connection, char *text, int32_t capacity) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) {
        return in_gns(*found, [&](HSteamNetConnection gns_handle) -> int32_t {
            const int result = SteamNetworkingSockets()->GetDetailedConnectionStatus(gns_handle, text, capacity);
            if (result > 0) return fail(GNS_ERROR_BUFFER_TOO_SMALL);
            return result < 0 ? fail(-k_EResultNoConnection) : static_cast<int32_t>(std::strlen(text));
        });
    });
}

int32_t gns_connection_set_name(uint64_t connection, const char *name, int32_t size) {
    return guarded([&]() -> int32_t {
        if (!is_text(name, size, GNS_MAX_NAME)) return fail(GNS_ERROR_BAD_TEXT);
        return with_connection(connection, [&](const std::shared_ptr<Connection> &found) {
            const std::string terminated(name ? name : "", static_cast<size_t>(size));
            return in_gns(*found, [&](HSteamNetConnection gns_handle) -> int32_t {
                SteamNetworkingSockets()->SetConnectionName(gns_handle, terminated.c_str());
                return 0;
            });
        });
    });
}

int32_t gns_connection_get_name(uint64_t connection, char *name, int32_t capacity) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) {
        return in_gns(*found, [&](HSteamNetConnection gns_handle) -> int32_t {
            const bool known = SteamNetworkingSockets()->GetConnectionName(gns_handle, name, capacity);
            return known ? 0 : fail(-k_EResultNoConnection);
        });
    });
}

int32_t gns_connection_set_user_data(uint64_t connection, int64_t user_data) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) {
        return in_gns(*found, [&](HSteamNetConnection gns_handle) -> int32_t {
            SteamNetworkingSockets()->SetConnectionUserData(gns_handle, user_data);
            std::lock_guard lock(found->end_mutex);
            found->last_info.user_data = user_data;
            return 0;
        });
    });
}
