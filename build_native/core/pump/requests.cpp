#include "pump/requests.hpp"

namespace gns_core {

Requests::Answer Requests::ask(const Key &key, int64_t now_us) {
    forget(now_us);
    if (const auto found = entries_.find(key); found != entries_.end())
        return found->second.ended_us ? Answer::repeated : Answer::known;
    if (const auto found = recent_.find(key.first); found != recent_.end() && found->second.size() >= most_in_period)
        return Answer::rate;
    if (pending_ >= most_pending) return Answer::pending;
    arrivals_.push_back({now_us, key.first});
    recent_[key.first].push_back(now_us);
    if (arrivals_.size() > most_remembered) forget_oldest_arrival();
    return Answer::fresh;
}

void Requests::begin(const Key &key) {
    if (entries_.emplace(key, Entry{}).second) ++pending_;
}

void Requests::settle(const Key &key) noexcept {
    const auto found = entries_.find(key);
    if (found == entries_.end() || !found->second.pending) return;
    found->second.pending = false;
    --pending_;
}

void Requests::drop(const Key &key) noexcept {
    settle(key);
    entries_.erase(key);
}

void Requests::end(const Key &key, int64_t now_us) noexcept {
    settle(key);
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.ended_us) return;
    try {
        ended_.emplace_back(now_us, key);
        found->second.ended_us = now_us;
    } catch (...) {
        entries_.erase(found);
    }
}

void Requests::forget(int64_t now_us) {
    while (!ended_.empty() && (ended_.front().first + memory_us <= now_us || ended_.size() > most_remembered)) {
        entries_.erase(ended_.front().second);
        ended_.pop_front();
    }
    while (!arrivals_.empty() && arrivals_.front().time_us + period_us <= now_us) forget_oldest_arrival();
}

void Requests::forget_oldest_arrival() {
    const auto found = recent_.find(arrivals_.front().peer);
    if (found != recent_.end()) {
        found->second.pop_front();
        if (found->second.empty()) recent_.erase(found);
    }
    arrivals_.pop_front();
}

} // namespace gns_core
