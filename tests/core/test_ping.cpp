// gns_connection_ping, gns_connection_wait_pong: round trips to the peer's GNS.
#include <thread>

#include "core.hpp"

namespace {

Event pong(Mailbox &mailbox) {
    return mailbox.until([](const Event &event) { return event.kind == GNS_EVENT_PONG; });
}

} // namespace

TEST(ping, tells_the_round_trip) {
    Link link;
    OK(gns_connection_ping(link.outbound));
    const Event event = pong(link.client);
    CHECK_EQUAL(event.connection, link.outbound);
    CHECK(event.number >= 0 && event.number < patience_us);
    const Fault lag(k_ESteamNetworkingConfig_FakePacketLag_Send, 30);
    int64_t round_trip = 0;
    CHECK_EQUAL(gns_connection_wait_pong(link.inbound, patience_us, &round_trip), 1);
    CHECK(round_trip >= 59'000); // 30 ms each way, in whole milliseconds
    CHECK(link.server.all_within(20'000).size() <= 2);
}

TEST(ping, is_sent_again_where_it_is_lost) {
    Link link;
    const Fault loss(k_ESteamNetworkingConfig_FakePacketLoss_Send, 30);
    for (int i = 0; i < 5; ++i) {
        int64_t round_trip = -1;
        CHECK_EQUAL(gns_connection_wait_pong(link.outbound, patience_us, &round_trip), 1);
        CHECK(round_trip >= 0);
    }
}

TEST(ping, waits_for_the_connection_and_ends_with_it) {
    Mailbox mailbox;
    const uint64_t alone = connect(mailbox, free_address());
    int64_t round_trip = 0;
    CHECK_EQUAL(gns_connection_wait_pong(alone, 20'000, &round_trip), 0);
    std::thread closer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        close(alone);
    });
    CHECK_EQUAL(gns_connection_wait_pong(alone, patience_us, &round_trip), -3);
    closer.join();
    CHECK_EQUAL(gns_connection_ping(alone), GNS_ERROR_BAD_HANDLE);
    Link link;
    OK(close(link.inbound));
    link.client.end_of(link.outbound);
    CHECK_EQUAL(gns_connection_ping(link.outbound), -3);
}

TEST(ping, in_memory_takes_no_time) {
    Mailbox a, b;
    uint64_t ends[2];
    OK(gns_socket_pair(a.handle, b.handle, 0, "", 0, "", 0, &ends[0], &ends[1]));
    OK(gns_connection_ping(ends[0]));
    CHECK_EQUAL(pong(a).number, 0);
    OK(close(ends[0]));
    OK(close(ends[1]));
}
