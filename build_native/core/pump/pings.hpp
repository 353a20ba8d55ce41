// Round trips that callers have asked for. Serving thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "connection.hpp"
#include "pump/attempts.hpp"
#include "pump/signals.hpp"

namespace gns_core {

class Pings {
public:
    Pings(Signals &signals, Attempts &attempts) : signals_(signals), attempts_(attempts) {}

    // Pings a connection's peer, unless that is under way already.
    void ask(const std::shared_ptr<Connection> &connection);
    // Delivers what was answered, and sends what was lost, or could not be sent before.
    void check();
    void clear() { pings_.clear(); }

private:
    struct Ping {
        std::shared_ptr<Connection> connection;
        int64_t packet; // 0: not sent yet
        int64_t sent_us;
    };
    bool is_done(Ping &ping, int64_t now);

    Signals &signals_;
    Attempts &attempts_;
    std::vector<Ping> pings_;
};

} // namespace gns_core
