#include "admission.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace gns_core {

namespace {

// An honest peer is heard from within a round trip, and repeats itself within two seconds if a packet was lost.
constexpr int64_t patience_us = 3'000'000;
// How many refusals an address is sent at once, and per second: answering must not keep a server busy.
constexpr double answers = 32;

bool reaches(int64_t count, int32_t limit) { return limit != GNS_NO_LIMIT && count >= limit; }

uint64_t big_endian(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
    return value;
}

bool is_limit(int32_t limit) { return limit == GNS_NO_LIMIT || limit > 0; }

} // namespace

const char *refusal_text(Refusal refusal) noexcept {
    switch (refusal) {
    case Refusal::rate: return "this address connects too often";
    case Refusal::half_open: return "too many are just connecting";
    case Refusal::half_open_per_address: return "too many of this address are just connecting";
    case Refusal::connections_per_address: return "too many of this address are connected";
    case Refusal::none: break;
    }
    return "";
}

int32_t check_limits(const gns_limits &limits) noexcept {
    const bool rate =
        limits.rate_per_address == GNS_NO_LIMIT ||
        (std::isfinite(limits.rate_per_address) && limits.rate_per_address > 0 && limits.burst_per_address > 0);
    return rate && is_limit(limits.max_half_open) && is_limit(limits.max_half_open_per_address) &&
                   is_limit(limits.max_connections_per_address)
               ? 0
               : GNS_ERROR_BAD_VALUE;
}

Admission::Address Admission::address_of(const uint8_t *ip) noexcept {
    const Address whole{big_endian(ip), big_endian(ip + 8)};
    const bool is_ipv4 = whole.first == 0 && whole.second >> 32 == 0xFFFF;
    return is_ipv4 ? whole : Address{whole.first, 0};
}

Admission::Decision Admission::request(const uint8_t *ip, int64_t now_us) {
    Caller &who = caller(address_of(ip), now_us);
    Decision decision;
    decision.refusal = judge(who, now_us, &decision.gives_way);
    if (decision.refusal == Refusal::none) {
        if (limits_.rate_per_address != GNS_NO_LIMIT) who.tokens -= 1;
        if (decision.gives_way) {
            gave_way_.fetch_add(1, std::memory_order_relaxed);
            next_gives_way_us_ = now_us + patience_us / limits_.max_half_open;
        }
    } else {
        refused_[static_cast<int>(decision.refusal)].fetch_add(1, std::memory_order_relaxed);
        decision.tell = who.answers >= 1;
        if (decision.tell) who.answers -= 1;
    }
    return decision;
}

Refusal Admission::judge(const Caller &who, int64_t now_us, Handle *gives_way) const {
    if (reaches(int64_t{who.open} + who.half_open, limits_.max_connections_per_address))
        return Refusal::connections_per_address;
    if (reaches(who.half_open, limits_.max_half_open_per_address)) return Refusal::half_open_per_address;
    if (limits_.rate_per_address != GNS_NO_LIMIT && who.tokens < 1) return Refusal::rate;
    if (reaches(static_cast<int64_t>(half_open_.size()), limits_.max_half_open)) {
        const Handle oldest = half_open_.front();
        if (now_us < next_gives_way_us_ || now_us - places_.at(oldest).since_us < patience_us)
            return Refusal::half_open;
        *gives_way = oldest;
    }
    return Refusal::none;
}

Admission::Caller &Admission::caller(const Address &address, int64_t now_us) {
    const auto known = callers_.find(address);
    if (known == callers_.end()) {
        std::list<Address> fresh{address};
        Caller &who = callers_[address];
        quiet_.splice(quiet_.end(), fresh);
        who.in_line = std::prev(quiet_.end());
        who.tokens = limits_.burst_per_address;
        who.answers = answers;
        who.filled_us = now_us;
        forget_quiet();
        return who;
    }
    Caller &who = known->second;
    const double seconds = static_cast<double>(now_us - who.filled_us) * 1e-6;
    who.tokens = std::min<double>(limits_.burst_per_address, who.tokens + limits_.rate_per_address * seconds);
    who.answers = std::min(answers, who.answers + answers * seconds);
    who.filled_us = now_us;
    if (who.half_open + who.open == 0) quiet_.splice(quiet_.end(), quiet_, who.in_line);
    return who;
}

void Admission::forget_quiet() {
    while (quiet_.size() > remembered_) {
        callers_.erase(quiet_.front());
        quiet_.pop_front();
    }
}

void Admission::begin(Handle connection, const uint8_t *ip, int64_t now_us) {
    const Address address = address_of(ip);
    Caller &who = caller(address, now_us);
    std::list<Handle> fresh{connection};
    places_.emplace(connection, Place{address, State::half_open, now_us, fresh.begin()});
    half_open_.splice(half_open_.end(), fresh);
    if (who.half_open + who.open == 0) busy_.splice(busy_.end(), quiet_, who.in_line);
    ++who.half_open;
    admitted_.fetch_add(1, std::memory_order_relaxed);
}

void Admission::heard(Handle connection) {
    const auto found = places_.find(connection);
    if (found == places_.end() || found->second.state != State::half_open) return;
    Place &place = found->second;
    Caller &who = callers_.at(place.address);
    others_.splice(others_.end(), half_open_, place.in_line);
    place.state = State::open;
    --who.half_open;
    ++who.open;
}

Admission::Handle Admission::end(Handle connection, bool lingers) {
    const auto found = places_.find(connection);
    if (found == places_.end()) return 0;
    Place &place = found->second;
    if (place.state == State::open) { // from here on only those count that were never heard from
        forget(connection);
        return 0;
    }
    if (place.state == State::half_open) leave(place);
    if (place.state != State::ended || !lingers) return 0;
    lingering_.splice(lingering_.end(), others_, place.in_line);
    place.state = State::lingering;
    if (!reaches(static_cast<int64_t>(lingering_.size()) - 1, limits_.max_half_open)) return 0;
    const Handle oldest = lingering_.front();
    places_.at(oldest).state = State::leaving;
    others_.splice(others_.end(), lingering_, lingering_.begin());
    return oldest;
}

void Admission::forget(Handle connection) {
    const auto found = places_.find(connection);
    if (found == places_.end()) return;
    Place &place = found->second;
    leave(place);
    (place.state == State::lingering ? lingering_ : others_).erase(place.in_line);
    places_.erase(found);
}

// Takes a connection off its address's account.
void Admission::leave(Place &place) {
    if (place.state != State::half_open && place.state != State::open) return;
    Caller &who = callers_.at(place.address);
    if (place.state == State::half_open) {
        others_.splice(others_.end(), half_open_, place.in_line);
        --who.half_open;
    } else {
        --who.open;
    }
    place.state = State::ended;
    if (who.half_open + who.open > 0) return;
    quiet_.splice(quiet_.end(), busy_, who.in_line);
    forget_quiet();
}

gns_limit_counters Admission::counters() const noexcept {
    const auto refused = [this](Refusal refusal) {
        return refused_[static_cast<int>(refusal)].load(std::memory_order_relaxed);
    };
    gns_limit_counters counters{};
    counters.admitted = admitted_.load(std::memory_order_relaxed);
    counters.rate = refused(Refusal::rate);
    counters.half_open = refused(Refusal::half_open);
    counters.half_open_per_address = refused(Refusal::half_open_per_address);
    counters.connections_per_address = refused(Refusal::connections_per_address);
    counters.gave_way = gave_way_.load(std::memory_order_relaxed);
    return counters;
}

} // namespace gns_core
