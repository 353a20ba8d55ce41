// Mailboxes: waiting, waking, descriptors, batches, several readers.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "core.hpp"

namespace {

bool readable(int64_t fd, int timeout_ms = 0) {
    pollfd descriptor{static_cast<int>(fd), POLLIN, 0};
    return ::poll(&descriptor, 1, timeout_ms) == 1 && (descriptor.revents & POLLIN);
}

} // namespace

TEST(mailbox, descriptor_is_readable_while_events_wait) {
    Link link(fast(), fast());
    const int64_t fd = OK(gns_mailbox_fd(link.server.handle));
    CHECK_EQUAL(gns_mailbox_fd(link.server.handle), fd);
    CHECK(!readable(fd));
    for (int i = 0; i < 10; ++i) OK(send(link.outbound, "x"));
    CHECK(readable(fd, 10'000));
    std::vector<Event> events;
    while (events.size() < 9) {
        CHECK(readable(fd, 10'000));
        OK(receive(link.server.handle, 0, &events, 1));
    }
    CHECK(readable(fd, 10'000)); // one left
    OK(receive(link.server.handle, 0, &events, 1));
    CHECK(!readable(fd));
    OK(send(link.outbound, "again"));
    CHECK(readable(fd, 10'000));
    CHECK_EQUAL(link.server.message().data, "again");
    CHECK(!readable(fd));
}

TEST(mailbox, descriptor_made_late) {
    Link link;
    OK(send(link.outbound, "x"));
    gns_send_queue queue;
    wait_until([&] { return gns_connection_send_queue(link.outbound, &queue) == 0 && queue.messages == 0; }, "acked");
    const int64_t fd = OK(gns_mailbox_fd(link.server.handle));
    CHECK(readable(fd));
    link.server.message();
    CHECK(!readable(fd));
    OK(gns_stop(0));
    CHECK(readable(fd)); // the end; and after it, that nothing will arrive
    while (receive(link.server.handle, 0, std::make_unique<std::vector<Event>>().get()) > 0) {
    }
    CHECK(readable(fd));
}

TEST(mailbox, sends_a_byte_where_it_is_told_to) {
    Link link(fast(), fast());
    int pair[2];
    CHECK_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    OK(gns_mailbox_notify(link.server.handle, pair[1]));
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 10; ++i) OK(send(link.outbound, "x"));
        CHECK(readable(pair[0], 10'000));
        for (int i = 0; i < 10; ++i) link.server.message();
        CHECK(link.server.all_within(20'000).empty());
        char bytes[16]; // one for each time that events began to wait
        const ssize_t taken = ::recv(pair[0], bytes, sizeof bytes, 0);
        CHECK(taken >= 1 && taken <= 10);
        CHECK(!readable(pair[0]));
    }
    const int64_t fd = OK(gns_mailbox_fd(link.server.handle)); // takes its place
    OK(send(link.outbound, "x"));
    CHECK(readable(fd, 10'000));
    CHECK(!readable(pair[0]));
    link.server.message();
    CHECK(!readable(fd));
    OK(gns_mailbox_notify(link.server.handle, pair[1])); // and back again
    OK(close(link.inbound));
    OK(gns_mailbox_destroy(link.server.handle)); // before the socket is closed
    ::close(pair[0]);
    ::close(pair[1]);
}

TEST(mailbox, wake_ends_one_receive) {
    Mailbox mailbox;
    const int64_t fd = OK(gns_mailbox_fd(mailbox.handle));
    std::vector<Event> events;
    OK(gns_mailbox_wake(mailbox.handle)); // nothing receives yet: the next one returns
    CHECK(readable(fd));
    CHECK_EQUAL(receive(mailbox.handle, patience_us, &events), 0);
    CHECK(!readable(fd));
    std::thread waker([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        gns_mailbox_wake(mailbox.handle);
    });
    const int64_t begin = gns_time_us();
    const int32_t result = receive(mailbox.handle, -1, &events); // while it waits
    waker.join();
    CHECK_EQUAL(result, 0);
    CHECK(gns_time_us() - begin >= 40'000);
    CHECK_EQUAL(receive(mailbox.handle, 20'000, &events), 0); // but only one
    CHECK(gns_time_us() - begin >= 60'000);
}

TEST(mailbox, waits_as_long_as_it_is_told) {
    Mailbox mailbox;
    std::vector<Event> events;
    for (const int64_t timeout_us : {0, 1000, 100'000}) {
        const int64_t begin = gns_time_us();
        CHECK_EQUAL(receive(mailbox.handle, timeout_us, &events), 0);
        CHECK(gns_time_us() - begin >= timeout_us);
    }
}

TEST(mailbox, destroy_ends_who_waits) {
    uint64_t mailbox = 0;
    OK(gns_mailbox_create(&mailbox));
    std::atomic<int> waiting{0};
    std::vector<int32_t> results(3);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < results.size(); ++i)
        threads.emplace_back([&, i] {
            std::vector<Event> events;
            ++waiting;
            results[i] = receive(mailbox, -1, &events);
        });
    wait_until([&] { return waiting.load() == 3; }, "all threads are there");
    OK(gns_mailbox_destroy(mailbox));
    for (std::thread &thread : threads) thread.join();
    for (const int32_t result : results) CHECK_EQUAL(result, GNS_ERROR_BAD_HANDLE);
}

TEST(mailbox, batches_fit_the_buffers) {
    Link link(fast(), fast());
    for (const size_t size : {5, 100, 0, 20'000}) OK(send(link.outbound, std::string(size, 'x')));
    OK(send(link.outbound, "end"));
    gns_send_queue queue;
    wait_until([&] { return gns_connection_send_queue(link.outbound, &queue) == 0 && queue.messages == 0; }, "acked");
    gns_event events[8];
    alignas(8) char payload[1000];
    gns_batch batch;
    const uint64_t mailbox = link.server.handle;
    CHECK_EQUAL(gns_mailbox_receive(mailbox, 0, events, 8, payload, 2, &batch), GNS_ERROR_BUFFER_TOO_SMALL);
    CHECK_EQUAL(batch.payload, uint64_t{5});
    CHECK_EQUAL(gns_mailbox_receive(mailbox, 0, events, 8, payload, sizeof payload, &batch), 3);
    CHECK_EQUAL(batch.events, 3);
    CHECK_EQUAL(batch.more, 1);
    CHECK_EQUAL(events[0].offset, uint64_t{0});
    CHECK_EQUAL(events[1].offset, uint64_t{8});
    CHECK_EQUAL(events[1].size, uint32_t{100});
    CHECK_EQUAL(events[2].offset, uint64_t{112});
    CHECK_EQUAL(events[2].size, uint32_t{0});
    CHECK_EQUAL(gns_mailbox_receive(mailbox, 0, events, 8, payload, sizeof payload, &batch),
                GNS_ERROR_BUFFER_TOO_SMALL);
    CHECK_EQUAL(batch.payload, uint64_t{20'000});
    std::vector<char> large(batch.payload);
    CHECK_EQUAL(gns_mailbox_receive(mailbox, 0, events, 1, large.data(), large.size(), &batch), 1);
    CHECK_EQUAL(batch.more, 1);
    CHECK_EQUAL(gns_mailbox_receive(mailbox, 0, events, 8, payload, sizeof payload, &batch), 1);
    CHECK_EQUAL(std::string(payload, 3), "end");
    CHECK_EQUAL(batch.more, 0);
}

TEST(mailbox, several_readers_share_it) {
    constexpr int count = 5000 / instrumented;
    Link link(fast(), fast());
    std::mutex mutex;
    std::set<int64_t> numbers;
    size_t doubled = 0;
    std::vector<std::thread> readers;
    for (int i = 0; i < 4; ++i)
        readers.emplace_back([&, i] {
            std::vector<Event> events;
            while (receive(link.server.handle, -1, &events, i + 1) >= 0) {
                std::lock_guard lock(mutex);
                for (const Event &event : events)
                    if (event.is_message() && !numbers.insert(event.number).second) ++doubled;
                events.clear();
            }
        });
    for (int i = 0; i < count; ++i) OK(send(link.outbound, "x"));
    wait_until(
        [&] {
            std::lock_guard lock(mutex);
            return numbers.size() == count;
        },
        "all have arrived");
    OK(gns_stop(0));
    for (std::thread &reader : readers) reader.join();
    CHECK_EQUAL(doubled, size_t{0});
}
