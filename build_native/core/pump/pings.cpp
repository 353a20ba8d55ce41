#include "pump/pings.hpp"

#include <algorithm>
#include <utility>

#include "delivery.hpp"
#include "gns/ping.hpp"

namespace gns_core {

void Pings::ask(const std::shared_ptr<Connection> &connection) {
    const auto is_same = [&connection](const Ping &ping) { return ping.connection == connection; };
    if (std::any_of(pings_.begin(), pings_.end(), is_same)) return;
    pings_.push_back({connection, 0, 0});
    check();
}

void Pings::check() {
    if (pings_.empty()) return;
    const int64_t now = now_us();
    const auto done = [this, now](Ping &ping) { return is_done(ping, now); };
    pings_.erase(std::remove_if(pings_.begin(), pings_.end(), done), pings_.end());
}

bool Pings::is_done(Ping &ping, int64_t now) {
    Connection &connection = *ping.connection;
    const HSteamNetConnection gns_handle = connection.gns_handle.load();
    if (gns_handle == k_HSteamNetConnection_Invalid) return true;
    const PingState state = ping.packet == 0 ? PingState::lost : ping_state(gns_handle, ping.packet);
    if (state == PingState::lost) {
        ping.packet = connection.in_memory ? 0 : send_ping(gns_handle);
        ping.sent_us = now;
    }
    if (state != PingState::answered && !connection.in_memory) return false;
    Event event;
    event.kind = GNS_EVENT_PONG;
    event.number = now - ping.sent_us;
    event.time_us = now;
    event.connection = ping.connection;
    {
        std::lock_guard lock(connection.end_mutex);
        ++connection.pongs;
        connection.round_trip_us = event.number;
        connection.notify_changed();
    }
    attempts_.run(ping.connection, [&] { signals_.add(push(connection, std::move(event))); });
    return true;
}

} // namespace gns_core
