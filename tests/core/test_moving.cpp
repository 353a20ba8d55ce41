// gns_connection_move: events go with their connection; none is lost, duplicated or reordered.
#include <atomic>
#include <thread>

#include "core.hpp"

TEST(moving, what_waits_goes_along_and_the_rest_stays) {
    Link link(fast(), fast());
    const auto [other, its_client] = link.add();
    for (int i = 0; i < 20; ++i) {
        OK(send(link.outbound, std::to_string(i)));
        OK(send(its_client, "stays"));
    }
    gns_send_queue queue{};
    wait_until([&] { return gns_connection_send_queue(link.outbound, &queue) == 0 && queue.messages == 0; },
               "all is acked");
    wait_until([&] { return gns_connection_send_queue(its_client, &queue) == 0 && queue.messages == 0; },
               "all is acked");
    Mailbox target;
    OK(gns_connection_move(link.inbound, target.handle));
    OK(gns_connection_move(link.inbound, target.handle)); // where it is already
    for (int i = 20; i < 40; ++i) OK(send(link.outbound, std::to_string(i)));
    for (int i = 0; i < 40; ++i) {
        const Event event = target.message();
        CHECK_EQUAL(event.connection, link.inbound);
        CHECK_EQUAL(event.data, std::to_string(i));
    }
    for (int i = 0; i < 20; ++i) CHECK_EQUAL(link.server.message().connection, other);
    CHECK(link.server.all_within(50'000).empty());
    OK(close(link.outbound, 1234));
    CHECK_EQUAL(target.end_of(link.inbound).code, 1234);
}

TEST(moving, an_end_that_waits_goes_along) {
    Link link;
    OK(close(link.outbound, 1234));
    wait_until([&] { return gns_connection_state(link.inbound) == closed_by_peer; }, "the end");
    Mailbox target;
    OK(gns_connection_move(link.inbound, target.handle));
    CHECK_EQUAL(target.end_of(link.inbound).code, 1234);
    OK(close(link.inbound));
    CHECK_EQUAL(gns_connection_move(link.inbound, target.handle), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_move(link.inbound, 12345), GNS_ERROR_BAD_HANDLE);
}

TEST(moving, between_readers_that_wait) {
    Link link(fast(), fast());
    Mailbox first, second;
    constexpr int count = 4000 / instrumented;
    std::atomic<int> seen{0};
    std::atomic<bool> in_order{true};
    const auto read = [&](uint64_t mailbox) {
        std::vector<Event> events;
        while (seen.load() < count) {
            if (receive(mailbox, 10'000, &events, 1) <= 0) continue;
            // One at a time, and moved only in between, so the order is that of the events.
            for (const Event &event : events)
                if (event.is_message() && event.data != std::to_string(seen.fetch_add(1))) in_order.store(false);
            OK(gns_connection_move(link.inbound, mailbox == first.handle ? second.handle : first.handle));
            events.clear();
        }
    };
    OK(gns_connection_move(link.inbound, first.handle));
    std::thread reader([&] { read(first.handle); });
    std::thread other([&] { read(second.handle); });
    for (int i = 0; i < count; ++i) OK(send(link.outbound, std::to_string(i)));
    reader.join();
    other.join();
    CHECK(in_order.load());
    CHECK_EQUAL(seen.load(), count);
}
