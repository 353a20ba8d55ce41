// gns_connection_notify_drained, gns_connection_wait_drained.
#include <atomic>
#include <thread>

#include "core.hpp"

namespace {

size_t drained_events(const std::vector<Event> &events) {
    size_t count = 0;
    for (const Event &event : events) count += event.kind == GNS_EVENT_DRAINED;
    return count;
}

Event drained(Mailbox &mailbox) {
    return mailbox.until([](const Event &event) { return event.kind == GNS_EVENT_DRAINED; });
}

} // namespace

TEST(drained, at_once_if_there_is_room) {
    Link link;
    link.client.all_within(100'000); // and the pump has gone to sleep
    const int64_t begin = gns_time_us();
    OK(gns_connection_notify_drained(link.outbound, 0, 0));
    CHECK_EQUAL(drained(link.client).connection, link.outbound);
    CHECK(gns_time_us() - begin < 200'000);
    CHECK_EQUAL(drained_events(link.client.all_within(50'000)), size_t{0});
}

TEST(drained, when_all_is_acked) {
    Link link({}, rate(200'000));
    for (int i = 0; i < 50; ++i) OK(send(link.outbound, std::string(1000, 'x')));
    OK(gns_connection_notify_drained(link.outbound, 0, 0));
    CHECK_EQUAL(drained_events(link.client.all_within(20'000)), size_t{0});
    drained(link.client);
    gns_send_queue queue;
    OK(gns_connection_send_queue(link.outbound, &queue));
    CHECK_EQUAL(queue.messages, 0);
    for (int i = 0; i < 50; ++i) link.server.message();
}

TEST(drained, at_a_bound_and_only_once) {
    Link link({}, rate(100'000));
    for (int i = 0; i < 50; ++i) OK(send(link.outbound, std::string(1000, 'x')));
    OK(gns_connection_notify_drained(link.outbound, 0, 0));
    OK(gns_connection_notify_drained(link.outbound, 25'000, 1'000'000)); // replaces the last one
    drained(link.client);
    gns_send_queue queue;
    OK(gns_connection_send_queue(link.outbound, &queue));
    CHECK(queue.bytes > 0 && queue.bytes <= 25'000);
    for (int i = 0; i < 50; ++i) link.server.message();
    CHECK_EQUAL(drained_events(link.client.all_within(100'000)), size_t{0});
}

TEST(drained, the_end_of_the_connection_comes_instead) {
    Link link({}, rate(1024));
    for (int i = 0; i < 50; ++i) OK(send(link.outbound, std::string(1000, 'x')));
    OK(gns_connection_notify_drained(link.outbound, 0, 0));
    OK(close(link.inbound, 1000));
    link.client.end_of(link.outbound);
    OK(gns_connection_notify_drained(link.outbound, 0, 0));
    CHECK(link.client.all_within(50'000).empty());
    gns_send_queue queue;
    OK(gns_connection_send_queue(link.outbound, &queue));
    CHECK_EQUAL(queue.messages, 0); // GNS has freed them
}

TEST(drained, waiting_for_it) {
    Link link({}, rate(200'000));
    CHECK_EQUAL(gns_connection_wait_drained(link.outbound, -1, 0, 0), 1);
    for (int i = 0; i < 50; ++i) OK(send(link.outbound, std::string(1000, 'x')));
    CHECK_EQUAL(gns_connection_wait_drained(link.outbound, 0, 0, 0), 0);
    CHECK_EQUAL(gns_connection_wait_drained(link.outbound, 20'000, 0, 0), 0);
    CHECK_EQUAL(gns_connection_wait_drained(link.outbound, -1, 25'000, 1'000'000), 1);
    gns_send_queue queue;
    OK(gns_connection_send_queue(link.outbound, &queue));
    CHECK(queue.bytes > 0 && queue.bytes <= 25'000);
    OK(gns_connection_notify_drained(link.outbound, 0, 0)); // both at once
    CHECK_EQUAL(gns_connection_wait_drained(link.outbound, -1, 0, 0), 1);
    drained(link.client);
    CHECK_EQUAL(gns_connection_wait_drained(link.outbound, -1, -1, 0), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_connection_notify_drained(link.outbound, 0, -1), GNS_ERROR_BAD_VALUE);
}

TEST(drained, all_who_wait_are_told_of_the_end) {
    for (const bool stop : {false, true}) {
        Link link({}, rate(1024));
        for (int i = 0; i < 50; ++i) OK(send(link.outbound, std::string(1000, 'x')));
        std::atomic<int> waiting{0};
        int32_t drains[3], ends[3];
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&, i] {
                ++waiting;
                drains[i] = gns_connection_wait_drained(link.outbound, -1, 0, 0);
            });
            threads.emplace_back([&, i] {
                ++waiting;
                ends[i] = gns_connection_wait_ended(link.outbound, -1);
            });
        }
        wait_until([&] { return waiting.load() == 6; }, "all threads are there");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        const int32_t early = gns_connection_wait_ended(link.outbound, 10'000);
        const int32_t ended = stop ? gns_stop(0) : close(link.inbound);
        for (std::thread &thread : threads) thread.join();
        CHECK_EQUAL(early, 0);
        CHECK_EQUAL(ended, 0);
        for (int i = 0; i < 3; ++i) {
            CHECK_EQUAL(drains[i], -3);
            CHECK_EQUAL(ends[i], 1);
        }
    }
}
