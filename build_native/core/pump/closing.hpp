// How connections and listen sockets end in GNS. Serving thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "connection.hpp"
#include "pump/attempts.hpp"
#include "pump/gns_handles.hpp"
#include "pump/lingering.hpp"

namespace gns_core {

class Closing {
public:
    Closing(GnsHandles &handles, Lingering &lingering, Connections &connections, Attempts &attempts)
        : handles_(handles), lingering_(lingering), connections_(connections), attempts_(attempts) {}

    // Closes GNS's connection, if there still is one.
    void close_gns(Connection &connection, int32_t reason, const char *text, bool linger);
    // Ends a connection in the eyes of its owner, for a problem of this end, and closes GNS's.
    void end(const std::shared_ptr<Connection> &connection, int32_t reason, const char *text);
    void close_listen_socket(const std::shared_ptr<ListenSocket> &socket, int32_t reason, const std::string &text,
                             bool linger);
    // Drops the oldest of the outgoing connections that were closed and only wait for their peers' answer: it is gone
    // at once, and so is its descriptor. Returns false if there is none.
    bool drop_closed();
    // Ends the connections that an attempt failed for.
    void end_failed() noexcept;
    // Ends all connections with this reason; GNS itself is about to end.
    void end_all(int32_t reason, const char *text);

private:
    GnsHandles &handles_;
    Lingering &lingering_;
    Connections &connections_;
    Attempts &attempts_;
    std::deque<HSteamNetConnection> closed_; // outgoing ones, the oldest first
};

} // namespace gns_core
