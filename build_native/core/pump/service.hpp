// Serves GNS in turns: carries out queued commands in order, polls, and fills the mailboxes. The "serving thread" is
// the one that takes a turn at present: there is one at a time, as turns.hpp sees to.
#pragma once

#include <vector>

#include "connection.hpp"
#include "pump/attempts.hpp"
#include "pump/closing.hpp"
#include "pump/commands.hpp"
#include "pump/drains.hpp"
#include "pump/gns_handles.hpp"
#include "pump/histories.hpp"
#include "pump/lingering.hpp"
#include "pump/opening.hpp"
#include "pump/peers.hpp"
#include "pump/pings.hpp"
#include "pump/receiving.hpp"
#include "pump/rendezvous.hpp"
#include "pump/routes.hpp"
#include "pump/sending.hpp"
#include "pump/signals.hpp"
#include "pump/status_changes.hpp"

namespace gns_core {

// Tells a turn what to do about GNS's sockets.
enum class Sockets {
    skip, // nothing: timers and commands only
    look, // take the packets that wait there
    wait, // sleep until packets arrive, or there is something else to do
};

class Service {
    CommandQueue &commands_;
    Connections &connections_;
    ListenSockets &listen_sockets_;
    const QueueLimits &limits_;
    std::vector<Command> taken_;
    Attempts attempts_;
    Signals signals_;

public:
    Service(CommandQueue &commands, Connections &connections, ListenSockets &listen_sockets, const QueueLimits &limits)
        : commands_(commands), connections_(connections), listen_sockets_(listen_sockets), limits_(limits) {}

    // Takes one turn: does everything there is to do. Returns how many messages it received.
    int turn(Sockets sockets);
    // When the next turn is due, GNS's packets and timers aside. Serving thread.
    int64_t due_us() const;
    // Ends everything that is left. GNS still runs, and is ended afterwards.
    void shut_down();
    // Signals the mailboxes that have got events while GNS ended.
    void after_gns() { signals_.send(); }

    // The parts, for commands and for GNS's callback; in the order in which they need each other.
    GnsHandles handles{connections_};
    Peers peers{handles};
    Rendezvous rendezvous{handles, peers, signals_, attempts_};
    Lingering lingering;
    Closing closing{handles, lingering, connections_, attempts_};
    Opening opening{handles, peers, rendezvous, closing, signals_, listen_sockets_, limits_};
    Sending sending{signals_, attempts_};
    Receiving receiving{handles, closing, signals_, attempts_};
    StatusChanges status_changes{handles,      peers,           rendezvous, receiving, closing,
                                 connections_, listen_sockets_, signals_,   attempts_};
    Routes routes{handles, signals_, attempts_};
    Drains drains{commands_.mutex(), signals_, attempts_};
    Pings pings{signals_, attempts_};
    Histories histories;

private:
    // Returns whether GNS may have something for us that no packet announces, so that the next poll must not sleep.
    bool carry_out(std::vector<Command> &commands);
    void poll(Sockets sockets, bool pending);

    bool soon_ = false; // another turn is to follow this one within a moment
};

} // namespace gns_core
