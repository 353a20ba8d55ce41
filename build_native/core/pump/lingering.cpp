#include "pump/lingering.hpp"

#include <algorithm>

#include "config.hpp"
#include "gns/gatekeeper.hpp"

namespace gns_core {

namespace {

constexpr int64_t goodbye_us = 30'000; // for the packet that says "closed" after the last ack

}

void Lingering::add(const Connection &connection, HSteamNetConnection gns_handle) {
    const int64_t timeout_ms = effective_int(k_ESteamNetworkingConfig_TimeoutConnected, gns_handle);
    connections_.push_back(
        {connection.listen_socket, connection.account, now_us() + timeout_ms * 1000 + goodbye_us, 0});
    connection.account->references.fetch_add(1);
}

void Lingering::check() {
    if (connections_.empty() && listen_sockets_.empty()) return;
    const int64_t now = now_us();
    const auto is_done = [now](ClosedConnection &entry) {
        if (entry.flushed_us == 0 && entry.account->messages.load() == 0) entry.flushed_us = now;
        if (now < entry.give_up_us && (entry.flushed_us == 0 || now < entry.flushed_us + goodbye_us)) return false;
        release(entry.account);
        return true;
    };
    connections_.erase(std::remove_if(connections_.begin(), connections_.end(), is_done), connections_.end());
    // GNS destroys a listen socket's connections with it, even those that linger.
    const auto is_closed = [this](const ClosedListenSocket &socket) {
        for (const ClosedConnection &entry : connections_)
            if (entry.listen_socket == socket.handle) return false;
        SteamNetworkingSockets()->CloseListenSocket(socket.gns_handle);
        set_admission(socket.gns_handle, nullptr);
        free_closed_ports();
        return true;
    };
    listen_sockets_.erase(std::remove_if(listen_sockets_.begin(), listen_sockets_.end(), is_closed),
                          listen_sockets_.end());
}

void Lingering::clear() {
    for (const ClosedConnection &entry : connections_) release(entry.account);
    connections_.clear();
    for (const ClosedListenSocket &socket : listen_sockets_) set_admission(socket.gns_handle, nullptr);
    listen_sockets_.clear();
}

} // namespace gns_core
