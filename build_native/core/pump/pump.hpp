// The thread that serves GNS.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "pump/commands.hpp"
#include "pump/service.hpp"

namespace gns_core {

class Pump {
public:
    Pump(CommandQueue &commands, Service &service) : commands_(commands), service_(service) {}

    // GNS is initialized and in manual poll mode.
    void start();
    // Returns when everything is delivered or the time is up, all connections are ended and the thread has gone.
    void stop(int64_t linger_us);
    // Keeps the pump out of GNS, so that it holds none of GNS's locks, until unpark(). Waits for that, but not forever.
    void park();
    void unpark();

private:
    void loop();
    void stay_parked();
    void set_alive(bool alive);

    CommandQueue &commands_;
    Service &service_;
    std::atomic<bool> stopping_{false};
    std::atomic<int64_t> stop_deadline_us_{0};
    std::thread thread_;
    std::mutex park_mutex_;
    std::condition_variable park_changed_;
    int park_requests_ = 0; // this and the next two under park_mutex_
    bool parked_ = false;
    bool alive_ = false; // the loop may be in GNS
};

} // namespace gns_core
