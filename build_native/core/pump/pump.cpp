#include "pump/pump.hpp"

#include <algorithm>
#include <chrono>

namespace gns_core {

namespace {

constexpr std::chrono::seconds park_patience{5};

}

void Pump::start() {
    service_.handles.open();
    stopping_.store(false);
    commands_.accept();
    set_alive(true);
    try {
        thread_ = std::thread([this] { loop(); });
    } catch (...) { // the system has no thread for us
        set_alive(false);
        commands_.refuse();
        service_.handles.close();
        throw;
    }
}

void Pump::stop(int64_t linger_us) {
    commands_.refuse();
    stop_deadline_us_.store(now_us() + std::max<int64_t>(linger_us, 0));
    stopping_.store(true);
    SteamNetworkingSocketsLib::WakeServiceThread();
    thread_.join();
}

void Pump::park() {
    std::unique_lock lock(park_mutex_);
    ++park_requests_;
    if (alive_) SteamNetworkingSocketsLib::WakeServiceThread();
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
    CommandQueue::serve_here();
    for (;;) {
        stay_parked();
        const bool stopping = stopping_.load(); // before the turn: what was queued before the stop is carried out in it
        service_.turn(stopping);
        if (stopping && (service_.lingering.empty() || now_us() >= stop_deadline_us_.load())) break;
    }
    service_.shut_down();
    set_alive(false);
}

} // namespace gns_core
