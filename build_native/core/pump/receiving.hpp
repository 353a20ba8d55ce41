// Moves messages from GNS into mailboxes. Serving thread only.
#pragma once

#include <memory>
#include <utility>

#include "connection.hpp"
#include "pump/attempts.hpp"
#include "pump/closing.hpp"
#include "pump/gns_handles.hpp"
#include "pump/signals.hpp"

namespace gns_core {

class Receiving {
public:
    Receiving(const GnsHandles &handles, Closing &closing, Signals &signals, Attempts &attempts)
        : handles_(handles), closing_(closing), signals_(signals), attempts_(attempts) {}

    void receive_all();
    // Returns how many messages were received since the last call.
    int take_count() { return std::exchange(count_, 0); }
    // Receives what a connection that has ended in GNS still has.
    void receive_rest(const std::shared_ptr<Connection> &connection, HSteamNetConnection gns_handle);

private:
    void deliver(SteamNetworkingMessage_t *received) noexcept;
    void deliver(const std::shared_ptr<Connection> &connection, MessagePtr message);

    const GnsHandles &handles_;
    Closing &closing_;
    Signals &signals_;
    Attempts &attempts_;
    int count_ = 0;
};

} // namespace gns_core
