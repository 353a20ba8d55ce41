#include "pump/routes.hpp"

#include <utility>

#include "delivery.hpp"

namespace gns_core {

void Routes::attach() {
    selected_.clear();
    const GlobalLock lock;
    route_hook = this;
}

void Routes::selected(uint32_t connection) noexcept {
    attempts_.run(nullptr, [&] { selected_.push_back(connection); });
}

void Routes::report() {
    for (const HSteamNetConnection gns_handle : selected_)
        if (const std::shared_ptr<Connection> connection = handles_.find(gns_handle))
            attempts_.run(connection, [&] { report(connection, gns_handle); });
    selected_.clear();
}

void Routes::report(const std::shared_ptr<Connection> &connection, HSteamNetConnection gns_handle) {
    SteamNetConnectionInfo_t now;
    if (!SteamNetworkingSockets()->GetConnectionInfo(gns_handle, &now)) return;
    const gns_connection_info info = to_info(now, *connection);
    // The first route is in the status event of Connected.
    if (info.state != k_ESteamNetworkingConnectionState_Connected ||
        connection->state.load() != k_ESteamNetworkingConnectionState_Connected || info.route == GNS_ROUTE_UNKNOWN ||
        info.route == connection->route)
        return;
    Event event;
    event.kind = GNS_EVENT_ROUTE;
    event.old_state = connection->route;
    event.new_state = info.route;
    event.time_us = now_us();
    event.connection = connection;
    event.info = std::make_unique<gns_connection_info>(info);
    connection->route = info.route;
    {
        std::lock_guard lock(connection->end_mutex);
        if (connection->ended) return;
        connection->last_info = info;
    }
    signals_.add(push(*connection, std::move(event)));
}

} // namespace gns_core
