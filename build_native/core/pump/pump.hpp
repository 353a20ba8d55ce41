// The thread that serves GNS when no guest does, and all timers. See docs/internals/serving.md.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "pump/commands.hpp"
#include "pump/keeper.hpp"
#include "pump/pace.hpp"
#include "pump/service.hpp"
#include "pump/shift.hpp"
#include "pump/turns.hpp"
#include "sleeper.hpp"

namespace gns_core {

class Pump {
public:
    Pump(CommandQueue &commands, Service &service, Turns &turns, Shift &shift, const Pace &pace, Sleeper &sleeper)
        : commands_(commands), service_(service), turns_(turns), shift_(shift), pace_(pace), sleeper_(sleeper) {}

    // GNS is initialized and in manual poll mode.
    void start();
    // Returns when everything is delivered or the time is up, all connections are ended and the thread has gone.
    void stop(int64_t linger_us);
    // Keeps the pump out of GNS, so that it holds none of GNS's locks, until unpark(). Waits for that, but not forever.
    void park();
    void unpark();

private:
    void loop();
    bool may_sleep_inside();
    bool rest(bool in_charge);
    void stay_parked();
    void set_alive(bool alive);

    CommandQueue &commands_;
    Service &service_;
    Turns &turns_;
    Shift &shift_;
    const Pace &pace_;
    Sleeper &sleeper_;
    Keeper keeper_;
    int packets_ = -1; // GNS's descriptor
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
