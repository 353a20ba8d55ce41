// Limits of a listen socket, and the system's errors, through the C interface.
#include "core.hpp"

#include <cerrno>
#include <cmath>

namespace {

gns_limits no_limits() { return {GNS_NO_LIMIT, 1, GNS_NO_LIMIT, GNS_NO_LIMIT, GNS_NO_LIMIT}; }

uint64_t limited(Mailbox &mailbox, const gns_address &address, const gns_limits &limits) {
    uint64_t socket = 0;
    OK(gns_listen(mailbox.handle, &address, nullptr, 0, &limits, nullptr, &socket));
    return socket;
}

gns_limit_counters counters(uint64_t socket) {
    gns_limit_counters result{};
    OK(gns_listen_counters(socket, &result));
    return result;
}

} // namespace

TEST(limits, a_refused_one_is_told_at_once_and_never_reported) {
    Mailbox server, client;
    const gns_address address = free_address();
    gns_limits limits = no_limits();
    limits.max_connections_per_address = 2;
    const uint64_t socket = limited(server, address, limits);
    std::vector<uint64_t> inbound;
    for (int i = 0; i < 2; ++i) {
        const uint64_t outbound = connect(client, address);
        inbound.push_back(server.until([](const Event &event) { return event.new_state == connecting; }).connection);
        OK(gns_accept(inbound.back(), 0));
        client.until([&](const Event &event) { return event.connection == outbound && event.new_state == connected; });
    }
    const Event end = client.end_of(connect(client, address));
    CHECK_EQUAL(end.new_state, closed_by_peer);
    CHECK_EQUAL(end.code, GNS_END_RATE_LIMITED);
    CHECK_EQUAL(counters(socket).connections_per_address, 1);
    CHECK_EQUAL(counters(socket).admitted, 2);
    OK(close(inbound[0]));
    server.end_of(inbound[0]);
    connect(client, address);
    server.until([](const Event &event) { return event.new_state == connecting; });
    OK(gns_listen_close(socket, 1000, "", 0, 0));
    gns_limit_counters gone;
    CHECK_EQUAL(gns_listen_counters(socket, &gone), GNS_ERROR_BAD_HANDLE);
}

TEST(limits, a_silent_client_is_heard_of) {
    Mailbox server, client;
    const gns_address address = free_address();
    gns_limits limits = no_limits();
    limits.max_half_open_per_address = 1;
    const uint64_t socket = limited(server, address, limits);
    for (int i = 1; i <= 5; ++i) {
        const auto is_admitted = [&] {
            const uint64_t outbound = connect(client, address);
            for (;;) {
                for (const Event &event : server.all_within(1'000))
                    if (event.new_state == connecting) OK(gns_accept(event.connection, 0));
                const int32_t state = gns_connection_state(outbound);
                if (state != connecting) return state == connected;
            }
        };
        wait_until(is_admitted, "the one before is heard of");
        CHECK_EQUAL(counters(socket).admitted, i);
    }
}

TEST(limits, what_is_none_is_refused) {
    Mailbox server;
    const gns_address address = free_address();
    gns_limits limits = no_limits();
    limits.rate_per_address = std::nan("");
    uint64_t socket = 0;
    CHECK_EQUAL(gns_listen(server.handle, &address, nullptr, 0, &limits, nullptr, &socket), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(counters(listen(server, address)).admitted, 0);
}

TEST(limits, the_system_s_reason_is_told_with_its_number) {
    Mailbox server;
    const gns_address address = free_address();
    listen(server, address);
    expect_log("Failed to bind socket");
    uint64_t second = 0;
    CHECK_EQUAL(gns_listen(server.handle, &address, nullptr, 0, nullptr, nullptr, &second), GNS_ERROR_SYSTEM);
    CHECK_EQUAL(gns_last_error_number(), EADDRINUSE);
    CHECK_EQUAL(gns_flush(1), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_last_error_number(), 0);
}
