// How many a listen socket lets in, by address alone: the limits at work. Knows nothing of GNS; one thread at a time,
// but for counters().
//
// A request costs a few look-ups in a table of bounded size, whatever comes. Memory: an address about 150 bytes. Those
// that have connections are no more than these; of the others the last 16,384 are remembered, so 4 MiB at most in all.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <utility>

#include "core_api.hpp"

namespace gns_core {

enum class Refusal { none, rate, half_open, half_open_per_address, connections_per_address };

// What the refused one is told.
const char *refusal_text(Refusal refusal) noexcept;
// 0, or GNS_ERROR_BAD_VALUE.
int32_t check_limits(const gns_limits &limits) noexcept;

class Admission {
public:
    using Handle = uint32_t; // GNS's of a connection, 0: none
    // Who shares limits: an IPv4 address (as ::ffff:a.b.c.d), or the network of 64 bits that an IPv6 user has alone.
    using Address = std::pair<uint64_t, uint64_t>;
    static Address address_of(const uint8_t *ip) noexcept;

    struct Decision {
        Refusal refusal = Refusal::none;
        bool tell = false;    // a refused one: whether to answer, which is limited, too
        Handle gives_way = 0; // to be ended by the caller: it is half open for too long
    };

    explicit Admission(const gns_limits &limits, size_t remembered = 16384)
        : limits_(limits), remembered_(remembered) {}
    Admission(const Admission &) = delete;
    Admission &operator=(const Admission &) = delete;

    // Somebody who has proved that he receives at this address wants to connect.
    Decision request(const uint8_t *ip, int64_t now_us);
    // He has a connection now, half open.
    void begin(Handle connection, const uint8_t *ip, int64_t now_us);
    // Its peer has sent what only the holder of its keys can.
    void heard(Handle connection);
    // It has ended; lingers: GNS only keeps it to tell late packets so. -> one that is to go at once, for as many as
    // may be half open may linger that never were more.
    Handle end(Handle connection, bool lingers);
    // It is gone.
    void forget(Handle connection);

    gns_limit_counters counters() const noexcept;
    size_t addresses() const { return callers_.size(); }

private:
    struct Caller {
        int32_t half_open = 0;
        int32_t open = 0;
        double tokens = 0;  // requests that it may make now
        double answers = 0; // refusals that it may be told now
        int64_t filled_us = 0;
        std::list<Address>::iterator in_line; // in quiet_ or busy_
    };
    enum class State { half_open, open, ended, lingering, leaving };
    struct Place {
        Address address;
        State state;
        int64_t since_us;
        std::list<Handle>::iterator in_line; // in half_open_, lingering_ or others_
    };
    using Callers = std::map<Address, Caller>; // not hashed: nothing for an attacker to collide, no pause to grow
    using Places = std::map<Handle, Place>;

    Caller &caller(const Address &address, int64_t now_us);
    Refusal judge(const Caller &caller, int64_t now_us, Handle *gives_way) const;
    void leave(Place &place);
    void forget_quiet();

    const gns_limits limits_;
    const size_t remembered_;
    Callers callers_;
    Places places_;
    // Moved from list to list, so that only what is new takes memory.
    std::list<Address> quiet_; // without connections, the one that was not heard of for the longest time first
    std::list<Address> busy_;
    std::list<Handle> half_open_; // the oldest first
    std::list<Handle> lingering_; // those that ended half open, the oldest first
    std::list<Handle> others_;
    int64_t next_gives_way_us_ = 0; // one by one: those that came in a flood do not leave, and let in others, in one
    std::atomic<int64_t> admitted_{0};
    std::atomic<int64_t> gave_way_{0};
    std::atomic<int64_t> refused_[5] = {};
};

} // namespace gns_core
