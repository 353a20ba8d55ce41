// The threads that serve GNS: see docs/internals/serving.md. One process has both ends of each connection, so a guest
// serves both. Where there is no descriptor for packets, the pump does it all, and most of this does not apply.
#if defined(__linux__)

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "core.hpp"
#include "runtime.hpp"

namespace {

using gns_core::runtime;

constexpr int64_t moment_us = 100'000;
constexpr int32_t at_once = GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE;

// While this lives, only guests serve.
class NoPump {
public:
    NoPump() { runtime().pump.park(); }
    ~NoPump() { runtime().pump.unpark(); }
    NoPump(const NoPump &) = delete;
    NoPump &operator=(const NoPump &) = delete;
};

// A thread that receives once.
class Reader {
public:
    explicit Reader(uint64_t mailbox, int64_t timeout_us = -1, int32_t max_events = 256)
        : result_(std::async(std::launch::async, [=] { return ::receive(mailbox, timeout_us, &events, max_events); })) {
    }
    bool is_done(int64_t within_us = patience_us) {
        return result_.wait_for(std::chrono::microseconds(within_us)) == std::future_status::ready;
    }
    int32_t result() {
        CHECK(is_done());
        return result_.get();
    }
    std::vector<Event> events;

private:
    std::future<int32_t> result_;
};

bool guest_in_charge() { return runtime().shift.guest_in_charge(); }

bool readable(int64_t fd, int64_t within_us) {
    pollfd descriptor{static_cast<int>(fd), POLLIN, 0};
    return ::poll(&descriptor, 1, static_cast<int>(within_us / 1000)) == 1;
}

bool is_acked(uint64_t connection) {
    gns_send_queue queue;
    return OK(gns_connection_send_queue(connection, &queue)) == 0 && queue.messages == 0;
}

// Sends nonsense to a port, which GNS reads and drops.
void send_junk(const gns_address &to) {
    const int from = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(to.port);
    const ssize_t sent = ::sendto(from, "?", 1, 0, reinterpret_cast<sockaddr *>(&address), sizeof address);
    ::close(from);
    CHECK_EQUAL(sent, ssize_t{1});
}

// Exchanges messages until this thread was in charge when it received the last one, and has returned.
void become_a_guest_that_is_away(Link &link) {
    const int64_t deadline = gns_time_us() + patience_us;
    do {
        if (gns_time_us() > deadline) FAIL("never in charge");
        OK(send(link.outbound, "hello", at_once));
        link.server.message();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        link.server.all_within(1000); // no message, so it is in charge, unless the pump had to do something
    } while (!guest_in_charge());
}

// Waits until nothing is on its way, so that a leader is not disturbed.
void settle(Link &link) {
    while (!is_acked(link.outbound) || !is_acked(link.inbound))
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

} // namespace

TEST(serving, guests_send_and_receive_without_the_pump) {
    Link link(fast(), fast());
    settle(link);
    for (int attempt = 0; attempt < 100; ++attempt) {
        OK(send(link.outbound, "credit",
                at_once)); // after the turn in which it arrives, the next one leaves in the call
        link.server.message();
        const NoPump no_pump;
        OK(send(link.outbound, "in the call", at_once));
        if (link.server.all_within(moment_us).size() == 1) return;
    } // the pump was faster
    FAIL("the pump had to help each time");
}

TEST(serving, the_pump_takes_over_from_a_guest_that_stays_away) {
    Link link(fast(), fast());
    for (int round = 0; round < 10; ++round) {
        become_a_guest_that_is_away(link);
        OK(send(link.outbound, "reliable", at_once));
        OK(send(link.inbound, "and back", at_once));
        wait_until([&] { return is_acked(link.outbound) && is_acked(link.inbound); }, "both ends are served");
    }
}

TEST(serving, the_pump_takes_over_while_others_send_all_the_time) {
    Link link(fast(), fast());
    become_a_guest_that_is_away(link);
    const int64_t deadline = gns_time_us() + 5'000'000;
    std::vector<Event> events;
    while (gns_time_us() < deadline && events.empty()) { // what is sent is seen only by one who looks at the sockets
        OK(send(link.outbound, "x", GNS_SEND_NO_NAGLE));
        std::this_thread::sleep_for(std::chrono::microseconds(300));
        OK(receive(link.server.handle, 0, &events));
    }
    CHECK(!events.empty());
}

TEST(serving, a_turn_without_a_look_at_the_sockets_is_no_sign_of_the_guest) {
    Link link(fast(), fast());
    settle(link);
    for (int attempt = 0; attempt < 20; ++attempt) {
        become_a_guest_that_is_away(link);
        const int64_t before = runtime().turns.looked_us();
        for (int i = 0; i < 2; ++i) OK(gns_connection_set_name(link.outbound, "x", 1)); // the first one's turn is over
        const bool guest = guest_in_charge();
        if (runtime().turns.looked_us() == before && guest) return;
    } // packets arrived meanwhile
    FAIL("the pump looked each time");
}

TEST(serving, stop_ends_a_leader) {
    for (int round = 0; round < 5; ++round) {
        Mailbox mailbox;
        Reader reader(mailbox.handle);
        wait_until(guest_in_charge, "it leads");
        OK(gns_stop(0));
        CHECK_EQUAL(reader.result(), GNS_ERROR_NOT_RUNNING);
        OK(gns_start(nullptr, 0));
    }
}

TEST(serving, destroy_ends_a_leader) {
    uint64_t mailbox = 0;
    OK(gns_mailbox_create(&mailbox));
    Reader reader(mailbox);
    wait_until(guest_in_charge, "it leads");
    OK(gns_mailbox_destroy(mailbox));
    CHECK_EQUAL(reader.result(), GNS_ERROR_BAD_HANDLE);
}

TEST(serving, wake_ends_a_leaders_wait) {
    Mailbox mailbox;
    for (int round = 0; round < 100; ++round) {
        Reader reader(mailbox.handle);
        if (round % 2) wait_until(guest_in_charge, "it leads");
        OK(gns_mailbox_wake(mailbox.handle));
        CHECK_EQUAL(reader.result(), 0);
    }
}

TEST(serving, a_second_thread_that_waits_ends_the_first_ones_lead) {
    Link link(fast(), fast());
    settle(link);
    Reader first(link.server.handle);
    wait_until(guest_in_charge, "it leads");
    Reader second(link.client.handle);
    wait_until([] { return !guest_in_charge(); }, "the pump is in charge");
    OK(send(link.outbound, "to the first", at_once));
    CHECK_EQUAL(first.result(), 1);
    OK(send(link.inbound, "to the second", at_once));
    CHECK_EQUAL(second.result(), 1);
    CHECK_EQUAL(first.events[0].data, "to the first");
    CHECK_EQUAL(second.events[0].data, "to the second");
}

TEST(serving, a_thread_that_waits_for_something_else_ends_a_lead) {
    Link link(fast(), fast());
    settle(link);
    Reader leader(link.server.handle);
    wait_until(guest_in_charge, "it leads");
    CHECK_EQUAL(gns_connection_wait_ended(link.outbound, 1000), 0);
    CHECK(!guest_in_charge() || !leader.is_done(0)); // it may lead again by now
    int64_t round_trip_us = 0;
    CHECK_EQUAL(gns_connection_wait_pong(link.outbound, patience_us, &round_trip_us), 1);
    OK(send(link.outbound, "x", at_once));
    CHECK_EQUAL(leader.result(), 1);
}

TEST(serving, a_loop_that_comes_ends_a_lead) {
    Link link(fast(), fast());
    settle(link);
    Reader leader(link.server.handle);
    wait_until(guest_in_charge, "it leads");
    const int64_t fd = OK(gns_mailbox_fd(link.client.handle));
    wait_until([] { return !guest_in_charge(); }, "the pump is in charge");
    OK(send(link.inbound, "to the loop", at_once));
    CHECK(readable(fd, patience_us));
    CHECK_EQUAL(link.client.message().data, "to the loop");
    OK(send(link.outbound, "to the thread", at_once));
    CHECK_EQUAL(leader.result(), 1);
}

TEST(serving, a_leader_is_not_kept_from_its_timeout) {
    Link link(fast(), fast());
    Mailbox idle;
    std::atomic<bool> ended{false};
    std::thread sender([&] {
        while (!ended.load()) {
            send(link.outbound, "for others", GNS_SEND_NO_NAGLE);
            std::this_thread::sleep_for(std::chrono::microseconds(300));
        }
    });
    for (const int64_t timeout_us : {1, 1000, 50'000}) {
        const int64_t begin = gns_time_us();
        Reader reader(idle.handle, timeout_us);
        const int32_t result = reader.result();
        const int64_t end = gns_time_us();
        CHECK_EQUAL(result, 0);
        CHECK(end - begin >= timeout_us);
    }
    ended.store(true);
    sender.join();
}

TEST(serving, two_readers_of_one_mailbox_get_one_each) {
    for (int round = 0; round < 20; ++round) {
        Link link(fast(), fast());
        Reader first(link.server.handle, -1, 1), second(link.server.handle, -1, 1);
        if (round % 2) wait_until([] { return !guest_in_charge(); }, "both wait");
        OK(send(link.outbound, "one"));
        OK(send(link.outbound, "two", at_once)); // both in one packet
        CHECK_EQUAL(first.result(), 1);
        CHECK_EQUAL(second.result(), 1);
        CHECK(first.events[0].data != second.events[0].data);
    }
}

TEST(serving, two_threads_may_read_one_loops_mailbox) {
    constexpr int count = 2000 / instrumented;
    Link link(fast(), fast());
    const int64_t fd = OK(gns_mailbox_fd(link.server.handle));
    std::atomic<int> seen{0};
    const auto read = [&] {
        while (seen.load() < count) {
            std::vector<Event> events;
            readable(fd, 1000);
            OK(receive(link.server.handle, 0, &events));
            for (const Event &event : events)
                if (event.is_message()) ++seen;
            if (!events.empty()) send(link.inbound, "answer", at_once);
        }
    };
    std::thread first(read), second(read);
    for (int i = 0; i < count; ++i) {
        OK(send(link.outbound, "x", at_once));
        if (i % 8 == 0) wait_until([&] { return seen.load() > i - 8; }, "they are received");
    }
    first.join();
    second.join();
    CHECK_EQUAL(seen.load(), count);
}

TEST(serving, a_loops_descriptor_is_readable_when_packets_arrive) {
    Link link(fast(), fast());
    const int64_t fd = OK(gns_mailbox_fd(link.server.handle));
    for (int attempt = 0; attempt < 100; ++attempt) {
        OK(send(link.outbound, "credit", at_once));
        CHECK(readable(fd, patience_us));
        link.server.message();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        const NoPump no_pump;
        OK(send(link.outbound, "in the call", at_once));
        std::vector<Event> events;
        while (events.empty() && readable(fd, moment_us)) OK(receive(link.server.handle, 0, &events));
        if (events.size() == 1) return;
    } // the pump was faster
    FAIL("the pump had to help each time");
}

TEST(serving, a_loop_is_left_alone_while_nothing_arrives_for_it) {
    Link link(fast(), fast());
    const int64_t fd = OK(gns_mailbox_fd(link.server.handle));
    const auto watches = [&] { return runtime().mailboxes.find(link.server.handle)->watches_packets(); };
    std::vector<Event> events;
    OK(send(link.outbound, "x", at_once));
    link.server.message();
    wait_until([&] { return is_acked(link.outbound); }, "all is quiet");
    for (int round = 0; round < 2; ++round) {
        const NoPump no_pump;
        for (int i = 0; i < 2 && watches(); ++i) {
            send_junk(link.address);
            CHECK(readable(fd, patience_us));
            CHECK_EQUAL(receive(link.server.handle, 0, &events), 0);
        }
        CHECK(!watches());
        send_junk(link.address);
        CHECK(!readable(fd, 0));
        CHECK(!guest_in_charge());
    }
    OK(send(link.outbound, "x", at_once));
    CHECK(readable(fd, patience_us)); // by way of the pump
    CHECK_EQUAL(link.server.message().data, "x");
    CHECK(watches());
}

TEST(serving, a_loop_that_goes_leaves_all_to_the_pump) {
    Link link(fast(), fast());
    OK(gns_mailbox_fd(link.server.handle));
    OK(gns_connection_move(link.inbound, link.client.handle));
    OK(gns_mailbox_destroy(link.server.handle));
    CHECK(!guest_in_charge());
    CHECK(!runtime().shift.loop_is_alone());
    Reader reader(link.client.handle);
    wait_until(guest_in_charge, "threads may lead again");
    OK(send(link.outbound, "x", at_once));
    CHECK_EQUAL(reader.result(), 1);
}

TEST(serving, a_fork_leaves_the_leader_alone) {
    Link link(fast(), fast());
    settle(link);
    for (int round = 0; round < 5; ++round) {
        Reader leader(link.server.handle);
        wait_until(guest_in_charge, "it leads");
        const pid_t child = ::fork();
        if (child == 0) {
            std::vector<Event> events;
            ::_exit(receive(link.client.handle, 0, &events) == GNS_ERROR_FORKED ? 0 : 1);
        }
        int status = -1;
        CHECK_EQUAL(::waitpid(child, &status, 0), child);
        CHECK_EQUAL(status, 0);
        OK(send(link.outbound, "x", at_once));
        CHECK_EQUAL(leader.result(), 1);
    }
}

#endif
