// What a connection is and measures.
#include <cstring>

#include "runtime.hpp"

namespace gns_core {

namespace {

bool has_ended(Connection &connection, gns_connection_info *info, gns_connection_status *status) {
    std::lock_guard lock(connection.end_mutex);
    if (info) *info = connection.last_info;
    if (status) *status = connection.last_status;
    return connection.ended;
}

int32_t ask_for_pong(const std::shared_ptr<Connection> &connection) {
    if (is_over(connection->state.load())) return fail(-k_EResultNoConnection);
    Command command;
    command.task = [connection] { runtime().pump.ping(connection); };
    return runtime().pump.enqueue(std::move(command)) ? 0 : fail(GNS_ERROR_NOT_RUNNING);
}

} // namespace
} // namespace gns_core

using namespace gns_core;

int32_t gns_connection_handled(uint64_t connection, int64_t messages, int64_t bytes) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        handled(*found, messages, bytes);
        return 0;
    });
}

int32_t gns_connection_state(uint64_t connection) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        return found ? found->state.load() : not_found();
    });
}

int32_t gns_connection_wait_ended(uint64_t connection, int64_t timeout_us) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        return wait_for(*found, timeout_us, [&] { return found->ended; });
    });
}

int32_t gns_connection_info_get(uint64_t connection, gns_connection_info *info) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        const NativeAccess native;
        SteamNetConnectionInfo_t now;
        if (has_ended(*found, info, nullptr) || !native) return 0;
        if (SteamNetworkingSockets()->GetConnectionInfo(found->native.load(), &now))
            *info = to_info(now, found->listen_socket);
        else
            has_ended(*found, info, nullptr); // by now it has
        return 0;
    });
}

int32_t gns_connection_status_get(uint64_t connection, gns_connection_status *status, int32_t lane_count, gns_lane_status *lanes) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        {
            std::lock_guard lock(runtime().pump.queue_mutex());
            if (lane_count < 0 || lane_count > static_cast<int32_t>(found->last_number.size())) return fail(-k_EResultInvalidParam);
        }
        for (int32_t i = 0; i < lane_count; ++i) lanes[i] = gns_lane_status{};
        const NativeAccess native;
        if (has_ended(*found, nullptr, status) || !native) return 0;
        SteamNetConnectionRealTimeStatus_t now;
        std::vector<SteamNetConnectionRealTimeLaneStatus_t> native_lanes(static_cast<size_t>(lane_count));
        EResult result =
            SteamNetworkingSockets()->GetConnectionRealTimeStatus(found->native.load(), &now, lane_count, native_lanes.data());
        if (result == k_EResultInvalidParam) { // it has just ended, and has no lanes any more
            native_lanes.clear();
            result = SteamNetworkingSockets()->GetConnectionRealTimeStatus(found->native.load(), &now, 0, nullptr);
        }
        if (result != k_EResultOK) return has_ended(*found, nullptr, status) ? 0 : fail(-static_cast<int32_t>(result));
        *status = to_status(now);
        for (size_t i = 0; i < native_lanes.size(); ++i) {
            const SteamNetConnectionRealTimeLaneStatus_t &lane = native_lanes[i];
            lanes[i].pending_unreliable = lane.m_cbPendingUnreliable;
            lanes[i].pending_reliable = lane.m_cbPendingReliable;
            lanes[i].sent_unacked_reliable = lane.m_cbSentUnackedReliable;
            lanes[i].queue_time_us = lane.m_usecQueueTime;
        }
        return 0;
    });
}

int32_t gns_connection_ping(uint64_t connection) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        return found ? ask_for_pong(found) : not_found();
    });
}

int32_t gns_connection_wait_pong(uint64_t connection, int64_t timeout_us, int64_t *round_trip_us) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        int64_t before;
        {
            std::lock_guard lock(found->end_mutex);
            before = found->pongs;
        }
        if (const int32_t error = ask_for_pong(found)) return error;
        const int32_t result = wait_for(*found, timeout_us, [&] { return found->ended || found->pongs > before; });
        if (result <= 0) return result;
        std::lock_guard lock(found->end_mutex);
        if (found->pongs == before) return fail(-k_EResultNoConnection);
        *round_trip_us = found->round_trip_us;
        return 1;
    });
}

int32_t gns_connection_details(uint64_t connection, char *text, int32_t capacity) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        return on_pump([&]() -> int32_t {
            const HSteamNetConnection native = found->native.load();
            if (!native) return fail(-k_EResultNoConnection);
            const int result = SteamNetworkingSockets()->GetDetailedConnectionStatus(native, text, capacity);
            if (result > 0) return fail(GNS_ERROR_BUFFER_TOO_SMALL);
            return result < 0 ? fail(-k_EResultNoConnection) : static_cast<int32_t>(std::strlen(text));
        });
    });
}

int32_t gns_connection_set_name(uint64_t connection, const char *name, int32_t size) {
    return guarded([&]() -> int32_t {
        if (!is_text(name, size, GNS_MAX_NAME)) return fail(GNS_ERROR_BAD_TEXT);
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        const std::string terminated(name ? name : "", static_cast<size_t>(size));
        return on_pump([&]() -> int32_t {
            const HSteamNetConnection native = found->native.load();
            if (!native) return fail(-k_EResultNoConnection);
            SteamNetworkingSockets()->SetConnectionName(native, terminated.c_str());
            return 0;
        });
    });
}

int32_t gns_connection_get_name(uint64_t connection, char *name, int32_t capacity) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        return on_pump([&]() -> int32_t {
            const HSteamNetConnection native = found->native.load();
            return native && SteamNetworkingSockets()->GetConnectionName(native, name, capacity) ? 0 : fail(-k_EResultNoConnection);
        });
    });
}

int32_t gns_connection_set_user_data(uint64_t connection, int64_t user_data) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().connections.find(connection);
        if (!found) return not_found();
        return on_pump([&]() -> int32_t {
            const HSteamNetConnection native = found->native.load();
            if (!native) return fail(-k_EResultNoConnection);
            SteamNetworkingSockets()->SetConnectionUserData(native, user_data);
            std::lock_guard lock(found->end_mutex);
            found->last_info.user_data = user_data;
            return 0;
        });
    });
}
