// Connections that were closed here and still deliver what was queued, and closed listen sockets
// that wait for them. Serving thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "connection.hpp"

namespace gns_core {

class Lingering {
public:
    // Watches a connection that is about to be closed with linger.
    void add(const Connection &connection, HSteamNetConnection gns_handle);
    // Closes a listen socket in GNS as soon as none of its connections lingers.
    void add(const ListenSocket &socket) { listen_sockets_.push_back({socket.handle, socket.gns_handle}); }
    // Forgets the connections that have delivered everything or have run out of time, then closes listen sockets.
    void check();
    bool empty() const { return connections_.empty(); }
    size_t size() const { return connections_.size(); }
    void clear();

private:
    struct ClosedConnection {
        uint64_t listen_socket;
        SendAccount *account;
        int64_t give_up_us;
        int64_t flushed_us; // when everything was acked; 0 before
    };
    struct ClosedListenSocket {
        uint64_t handle;
        HSteamListenSocket gns_handle;
    };

    std::vector<ClosedConnection> connections_;
    std::vector<ClosedListenSocket> listen_sockets_;
};

} // namespace gns_core
