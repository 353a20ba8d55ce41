// The process-wide state of the core: every object that a handle can name, and who serves GNS.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "connection.hpp"
#include "handle_table.hpp"
#include "mailbox.hpp"
#include "pump/commands.hpp"
#include "pump/guests.hpp"
#include "pump/pump.hpp"
#include "pump/service.hpp"
#include "pump/shift.hpp"
#include "pump/turns.hpp"
#include "signalling.hpp"
#include "sleeper.hpp"
#include "stream.hpp"

namespace gns_core {

struct Runtime {
    std::mutex life_cycle;
    std::string identity; // under life_cycle
    HandleTable<Mailbox> mailboxes{1};
    ListenSockets listen_sockets{2};
    Connections connections{3};
    Streams streams{4};
    Signallings signallings{5};
    QueueLimits limits; // serving thread only
    Sleeper pump_sleeper, leader_sleeper;
    CommandQueue commands{pump_sleeper};
    Service service{commands, connections, listen_sockets, limits};
    Pace pace;
    Turns turns{service, pace, pump_sleeper};
    Shift shift{pump_sleeper, leader_sleeper};
    Guests guests{commands, turns, shift, pace, leader_sleeper};
    Pump pump{commands, service, turns, shift, pace, pump_sleeper};

    // See gns_start and gns_stop; the identity is canonical.
    int32_t start(const std::string &text, const SteamNetworkingIdentity &parsed);
    int32_t stop(int64_t linger_us);
};

Runtime &runtime(); // never destroyed: threads may outlive the interpreter's shutdown

} // namespace gns_core
