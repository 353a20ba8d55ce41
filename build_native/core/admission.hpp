// The limits of a listen socket at work: whom it lets in, by address alone. Knows nothing of GNS. For
// one thread at a time, except counters().
//
// A request costs a few look-ups in a table of bounded size, whatever arrives. Memory: about 150 bytes per address.
// There are at most as many addresses with connections as connections; of the others the last 16,384 are
// remembered, so it takes at most 4 MiB in all.
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

// Returns the text for a refused peer.
const char *refusal_text(Refusal refusal) noexcept;
// 0, or GNS_ERROR_BAD_VALUE.
int32_t check_limits(const gns_limits &limits) noexcept;

class Admission {
public:
    using Handle = uint32_t; // GNS's handle of a connection, 0: none
    // The key under which limits are counted: an IPv4 address (as ::ffff:a.b.c.d), or an IPv6 network
    // of 64 bits, which belongs to one user.
    using Address = std::pair<uint64_t, uint64_t>;
    static Address address_of(const uint8_t *ip) noexcept;

    struct Decision {
        Refusal refusal = Refusal::none;
        bool tell = false;    // if refused: whether to answer, which is limited as well
        Handle gives_way = 0; // to be ended by the caller: it has been half open for too long
    };

    explicit Admission(const gns_limits &limits, size_t remembered = 16384)
        : limits_(limits), remembered_(remembered) {}
    Admission(const Admission &) = delete;
    Admission &operator=(const Admission &) = delete;

    // A peer that has proved that it receives at this address wants to connect.
    Decision request(const uint8_t *ip, int64_t now_us);
    // That peer now has a connection, half open.
    void begin(Handle connection, const uint8_t *ip, int64_t now_us);
    // The peer has sent something that only the holder of its keys can send.
    void heard(Handle connection);
    // It has ended. lingers: GNS keeps it only to answer late packets. Returns one that is to go at once, or 0: of
    // those that ended half open, at most as many may linger as may be half open.
    Handle end(Handle connection, bool lingers);
    // It is gone from GNS.
    void forget(Handle connection);

    gns_limit_counters counters() const noexcept;
    size_t addresses() const { return callers_.size(); }

private:
    struct Caller {
        int32_t half_open = 0;
        int32_t open = 0;
        double tokens = 0;  // requests that it may make now
        double answers = 0; // refusals that it may be sent now
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
    // Entries move from list to list, so that only new ones need memory.
    std::list<Address> quiet_; // without connections; the one not heard from for the longest time first
    std::list<Address> busy_;
    std::list<Handle> half_open_; // the oldest first
    std::list<Handle> lingering_; // those that ended half open, the oldest first
    std::list<Handle> others_;
    int64_t next_gives_way_us_ = 0; // one at a time: a flood must not leave, and let in another, all at once
    std::atomic<int64_t> admitted_{0};
    std::atomic<int64_t> gave_way_{0};
    std::atomic<int64_t> refused_[5] = {};
};

} // namespace gns_core
