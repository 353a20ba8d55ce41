// Callers that wait until less of a connection is queued or unacked. Serving thread only.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "connection.hpp"
#include "pump/attempts.hpp"
#include "pump/signals.hpp"

namespace gns_core {

class Drains {
public:
    // queue_mutex: the command queue's lock.
    Drains(std::mutex &queue_mutex, Signals &signals, Attempts &attempts)
        : queue_mutex_(queue_mutex), signals_(signals), attempts_(attempts) {}

    // Watches a connection for its waiting threads, and for its drain_asked, which is taken.
    void watch(const std::shared_ptr<Connection> &connection);
    void check();
    void clear() { watched_.clear(); }

private:
    bool is_done(const std::shared_ptr<Connection> &connection);

    std::mutex &queue_mutex_;
    Signals &signals_;
    Attempts &attempts_;
    std::vector<std::shared_ptr<Connection>> watched_;
};

} // namespace gns_core
