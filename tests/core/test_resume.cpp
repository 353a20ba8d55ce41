// Streams that go on with another connection.
#include <atomic>
#include <chrono>
#include <thread>
#include <tuple>

#include "core.hpp"

namespace {

constexpr int32_t data = GNS_SEND_RELIABLE | GNS_SEND_FRAMED | GNS_SEND_NO_NAGLE;
constexpr int32_t untracked = GNS_SEND_FRAMED | GNS_SEND_NO_NAGLE;
constexpr uint32_t max_message = 1000;
constexpr int64_t plenty = 1'000'000'000;

// Two connections; two streams on the first one, of which the client's keeps what it sends.
struct Switch : Link {
    explicit Switch(int32_t lanes = 1, const Options &options = fast()) : Link(fast(), fast()) {
        OK(gns_configure_lanes(outbound, lanes, nullptr, nullptr));
        OK(gns_stream_open(inbound, max_message, plenty, plenty, &in));
        OK(gns_stream_open(outbound, max_message, plenty, plenty, &out));
        OK(gns_stream_allow(out, max_message, plenty, plenty));
        OK(gns_stream_keep(out, plenty, plenty));
        client_options = options;
        add_next(lanes);
    }
    void add_next(int32_t lanes) {
        std::tie(next_inbound, next_outbound) = add();
        OK(gns_configure_lanes(next_outbound, lanes, nullptr, nullptr));
    }
    void detach() {
        OK(gns_stream_detach(in));
        OK(gns_stream_detach(out));
    }
    // Goes on with the other connection, from where the server has handled.
    void resume(const std::vector<int64_t> &handled) {
        const auto lanes = static_cast<int32_t>(handled.size());
        OK(gns_stream_resume(in, next_inbound, handled.data(), lanes));
        OK(gns_stream_acked(out, handled.data(), lanes));
        OK(gns_stream_resume(out, next_outbound, nullptr, 0));
    }
    int64_t replay() {
        int64_t left;
        OK(gns_stream_replay(out, &left));
        return left;
    }
    void send_data(int count, uint16_t lane = 0) {
        for (; count > 0; --count) OK(send(outbound, "old", data, lane));
    }
    Event take() {
        return server.until([](const Event &event) { return event.is_message() || event.is_data(); });
    }
    void take_data(int64_t number, uint16_t lane = 0) {
        const Event event = take();
        CHECK(event.is_data());
        CHECK_EQUAL(event.number, number);
        CHECK_EQUAL(event.lane, lane);
    }

    uint64_t in, out;
    uint64_t next_inbound = 0, next_outbound = 0;
};

// Returns what waits in a mailbox.
std::vector<Event> waiting(Mailbox &mailbox) {
    std::vector<Event> events = mailbox.all_within(0);
    while (receive(mailbox.handle, 0, &events) > 0) {
    }
    return events;
}

std::string frame(int64_t number) { return std::string("\x10") + static_cast<char>(number) + "again"; }

} // namespace

TEST(resume, what_was_not_handled_comes_again_and_is_dropped_if_it_had_arrived) {
    Switch link;
    link.send_data(10);
    for (int64_t number = 1; number <= 10; ++number) link.take_data(number);
    link.detach();
    link.resume({6});
    int64_t bytes, messages;
    OK(gns_stream_kept(link.out, &bytes, &messages));
    CHECK_EQUAL(messages, 4);
    CHECK_EQUAL(bytes, 12);
    CHECK_EQUAL(send(link.next_outbound, "x", data), GNS_ERROR_HELD);
    CHECK_EQUAL(send(link.next_outbound, "x", data | GNS_SEND_WAITED), GNS_ERROR_HELD);
    CHECK_EQUAL(send(link.next_outbound, "x", untracked), GNS_ERROR_HELD);
    CHECK_EQUAL(send(link.outbound, "x", data), GNS_ERROR_HELD);
    CHECK_EQUAL(link.replay(), 0);
    CHECK_EQUAL(link.replay(), 0);
    CHECK_EQUAL(send(link.next_outbound, "new", data), 11);
    const Event event = link.take();
    CHECK_EQUAL(event.number, 11); // nothing of the four before
    CHECK_EQUAL(event.connection, link.next_inbound);
    OK(gns_stream_kept(link.out, &bytes, &messages));
    CHECK_EQUAL(messages, 5);
    int64_t sent;
    OK(gns_stream_sent(link.out, &sent, 1));
    CHECK_EQUAL(sent, 11);
}

TEST(resume, what_had_not_arrived_arrives_with_its_bytes_and_its_order) {
    Switch link(3);
    link.detach(); // the server's end first: everything is lost
    OK(gns_stream_resume(link.in, link.inbound, nullptr, 0));
    OK(gns_stream_resume(link.out, link.outbound, nullptr, 0));
    CHECK_EQUAL(link.replay(), 0);
    OK(gns_stream_detach(link.in));
    const uint16_t lanes[] = {2, 0, 0, 1, 2};
    for (const uint16_t lane : lanes) OK(send(link.outbound, "lane " + std::to_string(lane), data, lane));
    for (int i = 0; i < 5; ++i) CHECK(link.take().is_message()); // as they are
    OK(gns_stream_detach(link.out));
    link.resume({0, 0, 0});
    CHECK_EQUAL(link.replay(), 0);
    int64_t last[3] = {0, 0, 0};
    for (int i = 0; i < 5; ++i) {
        const Event event = link.take();
        CHECK(event.is_data());
        CHECK_EQUAL(event.number, ++last[event.lane]);
        CHECK_EQUAL(event.data, "lane " + std::to_string(event.lane));
    }
}

TEST(resume, a_replay_is_gapless_from_what_was_handled) {
    Switch link;
    link.send_data(5);
    for (int64_t number = 1; number <= 5; ++number) link.take_data(number);
    link.detach();
    const int64_t handled = 3;
    OK(gns_stream_resume(link.in, link.next_inbound, &handled, 1));
    for (const int64_t wrong : {3, 5, 6, 1}) { // too early, a gap, a gap that would be new
        OK(send(link.next_outbound, frame(wrong)));
        CHECK(link.take().is_message());
    }
    OK(send(link.next_outbound, frame(4)));
    OK(send(link.next_outbound, frame(4))); // twice
    CHECK(link.take().is_message());
    OK(send(link.next_outbound, frame(6)));
    CHECK(link.take().is_message());
    OK(send(link.next_outbound, frame(5)));
    OK(send(link.next_outbound, frame(6)));
    link.take_data(6);
}

TEST(resume, a_second_one_in_the_middle_of_a_replay) {
    Switch link;
    link.send_data(6);
    for (int64_t number = 1; number <= 6; ++number) link.take_data(number);
    link.detach();
    const int64_t handled[] = {2, 4};
    OK(gns_stream_resume(link.in, link.next_inbound, &handled[0], 1));
    OK(send(link.next_outbound, frame(3)));
    OK(send(link.next_outbound, "behind it"));
    CHECK(link.take().is_message());
    link.add_next(1);
    link.resume({4}); // without a detach
    CHECK_EQUAL(link.replay(), 0);
    CHECK_EQUAL(send(link.next_outbound, "new", data), 7);
    link.take_data(7);
}

TEST(resume, duplicates_count_for_nothing) {
    Switch link;
    uint64_t in;
    OK(gns_stream_close(link.in));
    OK(gns_stream_open(link.inbound, max_message, plenty, 8, &in)); // an ack is due for every second message
    link.send_data(7);
    for (int i = 1; i <= 7; ++i) CHECK_EQUAL(link.take().kind, i % 2 ? GNS_EVENT_DATA : GNS_EVENT_ACK_DUE_DATA);
    OK(gns_stream_detach(in));
    OK(gns_stream_detach(link.out));
    OK(gns_stream_resume(in, link.next_inbound, nullptr, 0));
    OK(gns_stream_resume(link.out, link.next_outbound, nullptr, 0));
    const int64_t before = gns_stream_heard(in);
    CHECK_EQUAL(link.replay(), 0);
    wait_until([&] { return gns_stream_heard(in) > before; }, "a duplicate is heard");
    CHECK_EQUAL(send(link.next_outbound, "x", data), 8);
    CHECK_EQUAL(link.take().kind, GNS_EVENT_ACK_DUE_DATA);
    OK(send(link.next_outbound, "x", data)); // without credit
    CHECK(link.take().is_message());
}

TEST(resume, a_replay_needs_room) {
    Options small = fast();
    small.set(k_ESteamNetworkingConfig_SendBufferSize, 4000);
    Switch link(2, small);
    OK(gns_stream_detach(link.in));
    const std::string payload(900, 'x');
    for (int i = 0; i < 60; ++i) OK(send(link.outbound, payload, data, i % 2));
    OK(gns_stream_detach(link.out));
    link.resume({});
    int64_t left = link.replay(), calls = 1;
    CHECK(left > 50);
    for (; left > 0; ++calls) {
        CHECK_EQUAL(send(link.next_outbound, "x", data), GNS_ERROR_HELD);
        OK(gns_connection_wait_drained(link.next_outbound, patience_us, 2000, 1000));
        const int64_t now = link.replay();
        CHECK(now < left);
        left = now;
    }
    CHECK(calls > 10);
    int64_t last[2] = {0, 0};
    for (int i = 0; i < 60; ++i) {
        const Event event = link.server.until([](const Event &each) { return each.is_data(); });
        CHECK_EQUAL(event.number, ++last[event.lane]);
        CHECK_EQUAL(event.data, payload);
    }
}

TEST(resume, says_what_is_wrong) {
    Switch link(2);
    link.send_data(3, 1);
    for (int64_t number = 1; number <= 3; ++number) link.take_data(number, 1);
    const auto resumed = [&](uint64_t connection, const std::vector<int64_t> &handled) {
        return gns_stream_resume(link.in, connection, handled.data(), static_cast<int32_t>(handled.size()));
    };
    CHECK_EQUAL(resumed(link.inbound, {}), -k_EResultInvalidState); // its own
    CHECK_EQUAL(resumed(link.outbound, {}), -k_EResultInvalidState);
    CHECK_EQUAL(resumed(link.next_inbound, {0, 4}), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(resumed(link.next_inbound, {1}), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(resumed(link.next_inbound, {0, 0, 1}), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(resumed(link.next_inbound, {-1}), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(resumed(12345, {}), GNS_ERROR_BAD_HANDLE);
    OK(send(link.outbound, "x", data, 1)); // none of these has changed anything
    link.take_data(4, 1);
    OK(gns_stream_close(link.out));
    CHECK_EQUAL(gns_stream_resume(link.out, link.next_outbound, nullptr, 0), GNS_ERROR_BAD_HANDLE);
    OK(resumed(link.outbound, {0, 3})); // a closed stream does not count
    CHECK_EQUAL(gns_stream_keep(link.in, 0, 1), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_stream_keep(link.in, 1, 0), GNS_ERROR_BAD_VALUE);
}

TEST(resume, a_replay_says_what_is_wrong) {
    Switch link(2);
    int64_t left;
    link.send_data(1, 1);
    CHECK_EQUAL(gns_stream_keep(link.in, 1, 1), 0);
    link.detach();
    CHECK_EQUAL(gns_stream_replay(link.out, &left), -k_EResultNoConnection);
    const uint64_t narrow = link.add().second; // one lane
    OK(gns_stream_resume(link.out, narrow, nullptr, 0));
    CHECK_EQUAL(gns_stream_replay(link.out, &left), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(left, 1);
    OK(send(narrow, "plain"));
    OK(gns_stream_resume(link.out, link.next_outbound, nullptr, 0));
    OK(close(link.next_outbound));
    CHECK_EQUAL(gns_stream_replay(link.out, &left), -k_EResultNoConnection);
    CHECK_EQUAL(left, 1);
}

TEST(resume, a_stream_outlives_its_connections_and_they_outlive_it) {
    Switch link;
    link.send_data(2);
    OK(close(link.outbound));
    OK(close(link.inbound));
    link.client.end_of(link.outbound);
    link.server.end_of(link.inbound);
    int64_t numbers[1];
    OK(gns_stream_sent(link.out, numbers, 1));
    CHECK_EQUAL(numbers[0], 2);
    OK(gns_stream_resume(link.in, link.next_inbound, nullptr, 0)); // nothing had arrived, or all that is lost
    OK(gns_stream_resume(link.out, link.next_outbound, nullptr, 0));
    CHECK_EQUAL(link.replay(), 0);
    OK(gns_stream_close(link.out));
    OK(gns_stream_close(link.in));
    check_alive(link.server, link.next_inbound, link.client, link.next_outbound);
}

TEST(resume, streams_go_with_gns) {
    Switch link;
    link.send_data(3);
    OK(gns_stop(0));
    CHECK_EQUAL(gns_stream_hold(link.out, GNS_HOLD_NONE), GNS_ERROR_NOT_RUNNING);
    OK(gns_start(nullptr, 0));
    CHECK_EQUAL(gns_stream_hold(link.out, GNS_HOLD_NONE), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_stream_close(link.in), GNS_ERROR_BAD_HANDLE);
}

TEST(resume, nothing_arrives_after_a_detach) {
    Switch link;
    std::atomic<bool> done{false};
    std::thread sender([&] {
        for (; !done.load(); std::this_thread::sleep_for(std::chrono::microseconds(100)))
            send(link.outbound, "x", untracked);
    });
    for (int i = 0; i < 10; ++i) {
        link.server.until([](const Event &event) { return event.is_data(); });
        OK(gns_stream_detach(link.in));
        waiting(link.server);
        for (const Event &event : link.server.all_within(500)) CHECK(!event.is_data());
        OK(gns_stream_resume(link.in, link.inbound, nullptr, 0));
    }
    done.store(true);
    sender.join();
}

TEST(resume, several_threads_send_through_many_switches) {
    constexpr int threads = 3, each = 20'000 / instrumented, switches = 30;
    Switch link(threads);
    std::atomic<uint64_t> current{link.outbound};
    std::vector<std::thread> senders;
    for (int i = 0; i < threads; ++i)
        senders.emplace_back([&current, i] {
            for (int sent = 0; sent < each;) {
                if (send(current.load(), std::to_string(sent), data, static_cast<uint16_t>(i)) > 0)
                    ++sent;
                else
                    std::this_thread::sleep_for(std::chrono::microseconds(100)); // held, or no room
            }
        });
    std::vector<int64_t> last(threads);
    int total = 0;
    const auto note = [&](const std::vector<Event> &events) {
        for (const Event &event : events) {
            if (!event.is_data()) continue;
            CHECK_EQUAL(event.data, std::to_string(last[event.lane]));
            CHECK_EQUAL(event.number, ++last[event.lane]);
            ++total;
        }
    };
    uint64_t inbound = link.inbound;
    for (int i = 0; i < switches; ++i) {
        note(link.server.all_within(2000));
        link.detach();
        note(waiting(link.server));
        OK(close(current.load()));
        OK(close(inbound));
        link.add_next(threads);
        inbound = link.next_inbound;
        link.resume(last);
        current.store(link.next_outbound);
        while (link.replay() > 0) note(link.server.all_within(1000));
    }
    for (const int64_t deadline = gns_time_us() + patience_us; total < threads * each && gns_time_us() < deadline;)
        note(link.server.all_within(10'000));
    CHECK_EQUAL(total, threads * each);
    for (std::thread &sender : senders) sender.join();
}
