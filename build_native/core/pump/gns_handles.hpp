// The connections and listen sockets that are open in GNS, by GNS's handles. Serving thread only.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "connection.hpp"

namespace gns_core {

class GnsHandles {
public:
    explicit GnsHandles(Connections &connections) : connections_(connections) {}

    // Once GNS runs.
    void open();
    void close();
    HSteamNetPollGroup poll_group() const { return poll_group_; }

    // Gives a connection its handles: GNS's, and the one that its owner knows it by.
    void adopt(const std::shared_ptr<Connection> &connection, HSteamNetConnection gns_handle);
    void adopt(const std::shared_ptr<ListenSocket> &socket) { listen_sockets_.push_back(socket); }
    std::shared_ptr<Connection> remove(HSteamNetConnection gns_handle) {
        return std::exchange(by_gns_handle_[index(gns_handle)], nullptr);
    }
    void remove(const std::shared_ptr<ListenSocket> &socket);

    std::shared_ptr<Connection> find(HSteamNetConnection gns_handle) const {
        const std::shared_ptr<Connection> &entry = by_gns_handle_[index(gns_handle)];
        return entry && entry->gns_handle.load(std::memory_order_relaxed) == gns_handle ? entry : nullptr;
    }
    std::shared_ptr<ListenSocket> find_listen_socket(HSteamListenSocket gns_handle) const;
    std::shared_ptr<ListenSocket> find_listen_socket_p2p(int32_t virtual_port) const;
    // Returns whether such a socket makes symmetric connections, by its option.
    static bool is_symmetric(const ListenSocket &socket);
    // Calls visit(connection) for each connection; it may remove that connection.
    template <class Visit> void each(const Visit &visit) const {
        for (const std::shared_ptr<Connection> &entry : by_gns_handle_)
            if (const std::shared_ptr<Connection> connection = entry) visit(connection);
    }

private:
    // GNS's handles are unique in their low 16 bits among those in use.
    static size_t index(HSteamNetConnection gns_handle) { return gns_handle & 0xFFFF; }

    Connections &connections_;
    std::array<std::shared_ptr<Connection>, 65536> by_gns_handle_;
    std::vector<std::shared_ptr<ListenSocket>> listen_sockets_;
    HSteamNetPollGroup poll_group_ = k_HSteamNetPollGroup_Invalid;
};

} // namespace gns_core
