#include "pump/drains.hpp"

#include <algorithm>
#include <utility>

#include "delivery.hpp"

namespace gns_core {

void Drains::watch(const std::shared_ptr<Connection> &connection) {
    {
        std::lock_guard lock(queue_mutex_);
        if (connection->drain_asked.bytes >= 0) connection->drain = std::exchange(connection->drain_asked, {});
        connection->drain_queued = false;
    }
    connection->account->watched.store(true);
    if (std::find(watched_.begin(), watched_.end(), connection) == watched_.end()) watched_.push_back(connection);
}

void Drains::check() {
    const auto done = [this](const std::shared_ptr<Connection> &connection) { return is_done(connection); };
    watched_.erase(std::remove_if(watched_.begin(), watched_.end(), done), watched_.end());
}

bool Drains::is_done(const std::shared_ptr<Connection> &connection) {
    if (connection->gns_handle.load() == k_HSteamNetConnection_Invalid) return true;
    if (connection->drain.bytes >= 0 && is_drained(*connection->account, connection->drain)) {
        connection->drain = {};
        attempts_.run(connection, [&] {
            Event event;
            event.kind = GNS_EVENT_DRAINED;
            event.time_us = now_us();
            event.connection = connection;
            signals_.add(push(*connection, std::move(event)));
        });
    }
    const bool waiters = connection->drain_waiters.load() > 0;
    if (waiters) {
        std::lock_guard lock(connection->end_mutex); // a thread that is checking right now is waiting by then
        connection->notify_changed();
    }
    const bool watched = waiters || connection->drain.bytes >= 0;
    connection->account->watched.store(watched);
    return !watched;
}

} // namespace gns_core
