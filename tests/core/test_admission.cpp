// Letting peers in, decided by the class itself: with addresses that no machine
// has and times that no test waits for.
#include "admission.hpp"
#include "check.hpp"

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

using namespace gns_core;

namespace {

constexpr int64_t second = 1'000'000;
using Ip = std::array<uint8_t, 16>;

Ip ipv4(uint32_t number) {
    Ip ip{};
    ip[10] = ip[11] = 0xFF;
    for (int i = 0; i < 4; ++i) ip[12 + i] = static_cast<uint8_t>(number >> (24 - 8 * i));
    return ip;
}

Ip ipv6(uint64_t network, uint64_t host) {
    Ip ip{};
    for (int i = 0; i < 8; ++i) {
        ip[i] = static_cast<uint8_t>(network >> (56 - 8 * i));
        ip[8 + i] = static_cast<uint8_t>(host >> (56 - 8 * i));
    }
    return ip;
}

constexpr gns_limits none{GNS_NO_LIMIT, 1, GNS_NO_LIMIT, GNS_NO_LIMIT, GNS_NO_LIMIT};

// A listen socket as GNS sees it.
struct Door {
    explicit Door(const gns_limits &limits, size_t remembered = 16384) : admission(limits, remembered) {}

    Refusal ask(const Ip &ip) {
        decision = admission.request(ip.data(), now);
        if (decision.gives_way) admission.end(decision.gives_way, false);
        if (decision.refusal == Refusal::none) admission.begin(++last, ip.data(), now);
        return decision.refusal;
    }

    Admission admission;
    int64_t now = 0;
    uint32_t last = 0;
    Admission::Decision decision;
};

} // namespace

TEST(admission, ipv4_is_one_address_and_ipv6_a_network_of_64_bits) {
    CHECK(Admission::address_of(ipv4(1).data()) != Admission::address_of(ipv4(2).data()));
    CHECK(Admission::address_of(ipv6(7, 1).data()) == Admission::address_of(ipv6(7, ~0ull).data()));
    CHECK(Admission::address_of(ipv6(7, 1).data()) != Admission::address_of(ipv6(8, 1).data()));
    CHECK(Admission::address_of(ipv6(0, 1).data()) != Admission::address_of(ipv4(1).data())); // ::1
}

TEST(admission, without_limits_all_get_in) {
    Door door(none);
    for (int i = 0; i < 10'000; ++i) CHECK(door.ask(ipv4(1)) == Refusal::none);
    CHECK_EQUAL(door.admission.counters().admitted, 10'000);
}

TEST(admission, rate_and_burst) {
    gns_limits limits = none;
    limits.rate_per_address = 2;
    limits.burst_per_address = 5;
    Door door(limits);
    for (int i = 0; i < 5; ++i) CHECK(door.ask(ipv4(1)) == Refusal::none);
    CHECK(door.ask(ipv4(1)) == Refusal::rate);
    CHECK(door.ask(ipv4(2)) == Refusal::none); // another address
    door.now += second;
    CHECK(door.ask(ipv4(1)) == Refusal::none);
    CHECK(door.ask(ipv4(1)) == Refusal::none);
    CHECK(door.ask(ipv4(1)) == Refusal::rate);
    door.now += 100 * second; // no more than the burst is saved up
    for (int i = 0; i < 5; ++i) CHECK(door.ask(ipv4(1)) == Refusal::none);
    CHECK(door.ask(ipv4(1)) == Refusal::rate);
    CHECK_EQUAL(door.admission.counters().rate, 3);
}

TEST(admission, half_open_of_an_address_until_they_are_heard_or_end) {
    gns_limits limits = none;
    limits.max_half_open_per_address = 2;
    Door door(limits);
    CHECK(door.ask(ipv4(1)) == Refusal::none);
    CHECK(door.ask(ipv4(1)) == Refusal::none);
    CHECK(door.ask(ipv4(1)) == Refusal::half_open_per_address);
    CHECK(door.ask(ipv4(2)) == Refusal::none);
    door.admission.heard(1);
    door.admission.heard(1);
    CHECK(door.ask(ipv4(1)) == Refusal::none);
    door.admission.end(2, true);
    door.admission.end(2, true);
    CHECK(door.ask(ipv4(1)) == Refusal::none);
    CHECK(door.ask(ipv4(1)) == Refusal::half_open_per_address);
    door.admission.forget(4);
    CHECK(door.ask(ipv4(1)) == Refusal::none);
}

TEST(admission, connections_of_an_address_half_open_ones_included) {
    gns_limits limits = none;
    limits.max_connections_per_address = 3;
    Door door(limits);
    for (int i = 0; i < 3; ++i) CHECK(door.ask(ipv6(9, i)) == Refusal::none);
    door.admission.heard(1);
    CHECK(door.ask(ipv6(9, 9)) == Refusal::connections_per_address);
    CHECK(door.ask(ipv6(8, 9)) == Refusal::none);
    door.admission.end(1, true);
    CHECK(door.ask(ipv6(9, 9)) == Refusal::none);
    CHECK_EQUAL(door.admission.counters().connections_per_address, 1);
}

TEST(admission, of_all_that_are_half_open_an_old_one_gives_way) {
    gns_limits limits = none;
    limits.max_half_open = 3;
    Door door(limits);
    for (uint32_t i = 0; i < 3; ++i) {
        CHECK(door.ask(ipv4(i)) == Refusal::none);
        door.now += second;
    }
    CHECK(door.ask(ipv4(7)) == Refusal::none); // the first is 3 s old
    CHECK_EQUAL(door.decision.gives_way, 1u);
    door.now += second - 1; // so is the second, but they do not all give way at once
    CHECK(door.ask(ipv4(8)) == Refusal::half_open);
    CHECK_EQUAL(door.decision.gives_way, 0u);
    door.admission.heard(2); // an honest peer: that makes room
    CHECK(door.ask(ipv4(8)) == Refusal::none);
    const gns_limit_counters counters = door.admission.counters();
    CHECK_EQUAL(counters.half_open, 1);
    CHECK_EQUAL(counters.gave_way, 1);
    CHECK_EQUAL(counters.admitted, 5);
}

TEST(admission, only_so_many_linger_that_ended_half_open) {
    gns_limits limits = none;
    limits.max_half_open = 2;
    Door door(limits);
    for (uint32_t i = 1; i <= 2; ++i) {
        CHECK(door.ask(ipv4(i)) == Refusal::none);
        CHECK_EQUAL(door.admission.end(i, false), 0u);
        CHECK_EQUAL(door.admission.end(i, true), 0u);
    }
    CHECK(door.ask(ipv4(3)) == Refusal::none);
    CHECK_EQUAL(door.admission.end(3, true), 1u); // the oldest has to go
    CHECK(door.ask(ipv4(4)) == Refusal::none);
    CHECK_EQUAL(door.admission.end(4, true), 2u);
    for (uint32_t i = 1; i <= 4; ++i) door.admission.forget(i);
    CHECK(door.ask(ipv4(5)) == Refusal::none); // once heard from, it lingers as GNS likes
    door.admission.heard(5);
    CHECK_EQUAL(door.admission.end(5, true), 0u);
}

TEST(admission, a_refused_one_is_told_so_often_and_no_more) {
    gns_limits limits = none;
    limits.max_half_open_per_address = 1;
    Door door(limits);
    CHECK(door.ask(ipv4(1)) == Refusal::none);
    int told = 0;
    for (int i = 0; i < 1000; ++i) told += door.ask(ipv4(1)) != Refusal::none && door.decision.tell;
    CHECK_EQUAL(told, 32);
    door.now += second / 4;
    for (int i = 0; i < 1000; ++i) told += door.ask(ipv4(1)) != Refusal::none && door.decision.tell;
    CHECK_EQUAL(told, 40);
}

TEST(admission, remembers_the_last_addresses_and_those_with_connections) {
    gns_limits limits = none;
    limits.rate_per_address = 0.001;
    limits.burst_per_address = 1;
    Door door(limits, 100);
    CHECK(door.ask(ipv4(1)) == Refusal::none); // has a connection: never forgotten
    CHECK(door.ask(ipv4(2)) == Refusal::none);
    door.admission.forget(2);
    for (uint32_t i = 0; i < 10'000; ++i) {
        CHECK(door.ask(ipv4(100 + i)) == Refusal::none);
        door.admission.forget(door.last);
        CHECK(door.ask(ipv4(1)) == Refusal::rate);
        CHECK(door.admission.addresses() <= 102);
    }
    CHECK(door.ask(ipv4(2)) == Refusal::none); // long forgotten
    CHECK(door.ask(ipv4(100 + 9'999)) == Refusal::rate);
    CHECK_EQUAL(door.admission.addresses(), 101u);
}

TEST(admission, any_order_of_calls) {
    gns_limits limits{50, 20, 40, 10, 15};
    Door door(limits, 16);
    uint64_t random = 88172645463325252ull;
    const auto next = [&random](uint32_t bound) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        return static_cast<uint32_t>(random % bound);
    };
    for (int i = 0; i < 100'000; ++i) {
        door.now += next(20'000);
        const uint32_t connection = next(door.last + 2);
        switch (next(5)) {
        case 0: door.admission.heard(connection); break;
        case 1: door.admission.end(connection, next(2) == 0); break;
        case 2: door.admission.forget(connection); break;
        default: door.ask(next(2) ? ipv4(next(40)) : ipv6(next(40), next(9)));
        }
    }
    for (uint32_t i = 0; i <= door.last; ++i) door.admission.forget(i);
    CHECK(door.admission.addresses() <= 16);
}

TEST(admission, limits_that_are_none) {
    CHECK_EQUAL(check_limits(none), 0);
    for (const double rate : {0.0, -2.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
        gns_limits limits = none;
        limits.rate_per_address = rate;
        CHECK_EQUAL(check_limits(limits), GNS_ERROR_BAD_VALUE);
    }
    for (int32_t gns_limits::*field : {&gns_limits::max_half_open, &gns_limits::max_half_open_per_address,
                                       &gns_limits::max_connections_per_address}) {
        for (const int32_t bad : {0, -2}) {
            gns_limits limits = none;
            limits.*field = bad;
            CHECK_EQUAL(check_limits(limits), GNS_ERROR_BAD_VALUE);
        }
    }
    gns_limits limits = none;
    limits.rate_per_address = 1;
    limits.burst_per_address = 0;
    CHECK_EQUAL(check_limits(limits), GNS_ERROR_BAD_VALUE);
}
