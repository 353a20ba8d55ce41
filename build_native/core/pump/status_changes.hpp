// GNS's reports about its connections: new ones, their progress and their ends. Serving thread only.
#pragma once

#include <memory>

#include "connection.hpp"
#include "pump/attempts.hpp"
#include "pump/closing.hpp"
#include "pump/gns_handles.hpp"
#include "pump/peers.hpp"
#include "pump/receiving.hpp"
#include "pump/rendezvous.hpp"
#include "pump/signals.hpp"

namespace gns_core {

class StatusChanges {
public:
    using Change = SteamNetConnectionStatusChangedCallback_t;

    StatusChanges(GnsHandles &handles, Peers &peers, const Rendezvous &rendezvous, Receiving &receiving,
                  Closing &closing, Connections &connections, const ListenSockets &listen_sockets, Signals &signals,
                  Attempts &attempts)
        : handles_(handles),
          peers_(peers),
          rendezvous_(rendezvous),
          receiving_(receiving),
          closing_(closing),
          connections_(connections),
          listen_sockets_(listen_sockets),
          signals_(signals),
          attempts_(attempts) {}

    // GNS calls this, and is compiled without exceptions: it must not throw.
    void take(const Change &change) noexcept;

private:
    void accept_inbound(const Change &change);
    void advance(const std::shared_ptr<Connection> &connection, const Change &change);
    void end(const std::shared_ptr<Connection> &connection, const Change &change);

    GnsHandles &handles_;
    Peers &peers_;
    const Rendezvous &rendezvous_;
    Receiving &receiving_;
    Closing &closing_;
    Connections &connections_;
    const ListenSockets &listen_sockets_;
    Signals &signals_;
    Attempts &attempts_;
};

} // namespace gns_core
