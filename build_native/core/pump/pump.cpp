#include "pump/pump.hpp"

#include <algorithm>
#include <chrono>

#include "gns/serving.hpp"

namespace gns_core {

namespace {

constexpr std::chrono::seconds park_patience{5};
constexpr int64_t idle_us = 1'000'000;
constexpr int64_t gather_us = 250; // packets that no one waits for gather for this long, and are taken together

}

void Pump::start() {
    sleeper_.open();
    packets_ = packet_descriptor();
    service_.handles.open();
    stopping_.store(false);
    commands_.accept();
    turns_.open();
    set_alive(true);
    try {
        thread_ = std::thread([this] { loop(); });
    } catch (...) { // the system has no thread for us
        set_alive(false);
        turns_.close();
        commands_.refuse();
        service_.handles.close();
        throw;
    }
}

void Pump::stop(int64_t linger_us) {
    commands_.refuse();
    stop_deadline_us_.store(now_us() + std::max<int64_t>(linger_us, 0));
    stopping_.store(true);
    sleeper_.wake();
    thread_.join();
}

void Pump::park() {
    std::unique_lock lock(park_mutex_);
    ++park_requests_;
    if (alive_) sleeper_.wake();
    park_changed_.wait_for(lock, park_patience, [this] { return parked_ || !alive_; });
}

void Pump::unpark() {
    std::lock_guard lock(park_mutex_);
    --park_requests_;
    park_changed_.notify_all();
}

void Pump::set_alive(bool alive) {
    std::lock_guard lock(park_mutex_);
    alive_ = alive;
    park_changed_.notify_all();
}

void Pump::stay_parked() {
    std::unique_lock lock(park_mutex_);
    if (park_requests_ == 0) return;
    parked_ = true;
    park_changed_.notify_all();
    park_changed_.wait(lock, [this] { return park_requests_ == 0; });
    parked_ = false;
}

void Pump::loop() {
    bool wanted = true;
    for (;;) {
        stay_parked();
        const bool stopping = stopping_.load(); // before the turn: what was queued before the stop is carried out in it
        const bool in_charge = stopping || !shift_.guest_in_charge();
        if (packets_ < 0)
            turns_.take(may_sleep_inside() ? Sockets::wait : Sockets::look);
        else if (in_charge || wanted || now_us() >= turns_.due_us())
            turns_.take(in_charge ? Sockets::look : Sockets::skip);
        if (stopping && (!turns_.is_lingering() || now_us() >= stop_deadline_us_.load())) break;
        wanted = packets_ < 0 ? sleeper_.stay_awake() : rest(in_charge);
    }
    turns_.close();
    service_.shut_down();
    set_alive(false);
}

// Without a descriptor the pump sleeps inside GNS, in its turn. Announces that, unless there is something to do at
// once.
bool Pump::may_sleep_inside() {
    if (!sleeper_.announce(Sleeper::forever)) return false;
    if (turns_.due_us() > now_us()) return true;
    sleeper_.stay_awake();
    return false;
}

// Sleeps until there is something to do. Returns whether another thread has asked for a turn.
bool Pump::rest(bool in_charge) {
    const int64_t now = now_us();
    int64_t until = now + idle_us;
    bool watches = in_charge;
    if (!in_charge) {
        const auto are_packets_waiting = [this] { return packets_wait(packets_); };
        const Keeper::Plan plan = keeper_.plan(now, turns_.looked_us(), are_packets_waiting);
        if (plan.takes_over) {
            shift_.take_over();
            return false;
        }
        watches = plan.watches;
        until = std::min(until, plan.until_us);
    } else if (pace_.is_one_sided(now)) {
        watches = false;
        until = now + gather_us;
    }
    if (!sleeper_.announce(until)) return true;
    const int64_t due = turns_.due_us(); // it may have become earlier before the announcement
    if (due < until && !sleeper_.announce(due)) return true;
    return sleeper_.sleep(watches ? packets_ : -1).woken;
}

} // namespace gns_core
