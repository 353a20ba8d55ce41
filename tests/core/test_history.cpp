// gns_connection_history: a ring of statuses that the pump notes.
#include "core.hpp"

TEST(history, keeps_the_last_ones_in_order) {
    Link link(fast(), fast());
    OK(gns_connection_history_start(link.outbound, 5'000, 10));
    gns_sample samples[20];
    wait_until([&] { return gns_connection_history(link.outbound, samples, 20) == 10; }, "ten notes");
    const int64_t first = samples[0].time_us;
    wait_until([&] { return gns_connection_history(link.outbound, samples, 20) == 10 && samples[0].time_us > first; },
               "newer ones");
    for (int i = 0; i < 10; ++i) {
        CHECK_EQUAL(samples[i].status.state, connected);
        CHECK(i == 0 || samples[i].time_us - samples[i - 1].time_us >= 2'500);
    }
    gns_sample last[3];
    CHECK_EQUAL(gns_connection_history(link.outbound, last, 3), 3);
    CHECK(last[2].time_us >= samples[9].time_us);
}

TEST(history, stays_after_the_end_and_stops_on_demand) {
    Link link;
    gns_sample samples[5];
    CHECK_EQUAL(gns_connection_history(link.outbound, samples, 5), 0);
    OK(gns_connection_history_start(link.outbound, 1'000, 5));
    wait_until([&] { return gns_connection_history(link.outbound, samples, 5) == 5; }, "five notes");
    OK(gns_connection_history_start(link.outbound, 1'000, 0));
    CHECK_EQUAL(gns_connection_history(link.outbound, samples, 5), 0);
    OK(gns_connection_history_start(link.outbound, 1'000, 5));
    wait_until([&] { return gns_connection_history(link.outbound, samples, 5) == 5; }, "five notes");
    OK(close(link.inbound, 1234));
    link.client.end_of(link.outbound);
    CHECK_EQUAL(gns_connection_history(link.outbound, samples, 5), 5);
    OK(close(link.outbound));
    CHECK_EQUAL(gns_connection_history(link.outbound, samples, 5), GNS_ERROR_BAD_HANDLE);
}

TEST(history, has_bounds) {
    Link link;
    CHECK_EQUAL(gns_connection_history_start(link.outbound, 999, 5), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_connection_history_start(link.outbound, 1'000, -1), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_connection_history_start(link.outbound, 1'000, 1'000'001), GNS_ERROR_BAD_VALUE);
}
