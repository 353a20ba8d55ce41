// The messages of sessions: DATA and UNTRACKED of docs/session-protocol.md.
#include <random>
#include <thread>

#include "core.hpp"

namespace {

constexpr int32_t data = GNS_SEND_RELIABLE | GNS_SEND_FRAMED | GNS_SEND_NO_NAGLE;
constexpr int32_t untracked = GNS_SEND_FRAMED | GNS_SEND_NO_NAGLE;
constexpr uint32_t max_message = 1000;
constexpr int64_t plenty = 1'000'000'000;

std::string varint(uint64_t number) {
    std::string bytes;
    for (; number >= 0x80; number >>= 7) bytes += static_cast<char>(number | 0x80);
    return bytes + static_cast<char>(number);
}

std::string data_frame(uint64_t number, const std::string &payload) { return '\x10' + varint(number) + payload; }

// The client may send; the server removes frames.
struct Framed : Link {
    explicit Framed(int64_t bytes = plenty, int64_t messages = plenty) : Link(fast(), fast()) {
        OK(gns_stream_open(inbound, max_message, bytes, messages, &in));
        OK(gns_stream_open(outbound, max_message, plenty, plenty, &out));
        OK(gns_stream_allow(out, max_message, bytes, messages));
    }
    uint64_t in, out;
    // Returns what has arrived, up to the number-th message.
    std::vector<Event> take(size_t number) {
        std::vector<Event> events;
        while (events.size() < number)
            events.push_back(server.until([](const Event &event) { return event.is_message() || event.is_data(); }));
        return events;
    }
};

} // namespace

TEST(streams, data_is_numbered_and_comes_without_its_frame) {
    Framed link;
    OK(gns_configure_lanes(link.outbound, 3, nullptr, nullptr));
    for (int64_t number = 1; number <= 200; ++number)
        for (uint16_t lane = 0; lane < 3; ++lane)
            CHECK_EQUAL(send(link.outbound, std::to_string(number), data, lane), number);
    OK(send(link.outbound, "untracked", untracked));
    int64_t last[3] = {0, 0, 0};
    bool has_come = false;
    for (const Event &event : link.take(601)) {
        CHECK(event.is_data());
        if (event.flags == 0) {
            CHECK_EQUAL(event.data, "untracked");
            has_come = true;
            continue;
        }
        CHECK_EQUAL(event.flags, GNS_SEND_RELIABLE);
        CHECK_EQUAL(event.number, ++last[event.lane]);
        CHECK_EQUAL(event.data, std::to_string(event.number));
    }
    CHECK(has_come);
    int64_t sent[4] = {-1, -1, -1, -1};
    OK(gns_stream_sent(link.out, sent, 4));
    for (int lane = 0; lane < 4; ++lane) CHECK_EQUAL(sent[lane], lane < 3 ? 200 : 0);
}

TEST(streams, is_what_the_specification_says) {
    Link link(fast(), fast()); // its server removes nothing
    uint64_t out;
    OK(gns_stream_open(link.outbound, max_message, plenty, plenty, &out));
    OK(gns_stream_allow(out, max_message, plenty, plenty));
    for (uint64_t number = 1; number <= 300; ++number) {
        OK(send(link.outbound, "payload", data));
        CHECK_EQUAL(link.server.message().data, data_frame(number, "payload"));
    }
    OK(send(link.outbound, "", untracked));
    CHECK_EQUAL(link.server.message().data, "\x11");
    std::vector<std::string> many(100, std::string(max_message, 'x'));
    std::vector<uint32_t> sizes(many.size(), max_message);
    std::string joined;
    for (const std::string &each : many) joined += each;
    int64_t first;
    int32_t error;
    CHECK_EQUAL(gns_send_many(link.outbound, joined.data(), sizes.data(), 100, data, 0, &first, &error), 100);
    CHECK_EQUAL(first, 301);
    for (uint64_t number = 301; number <= 400; ++number)
        CHECK_EQUAL(link.server.message().data, data_frame(number, many[0]));
}

TEST(streams, what_must_not_come_is_passed_on_as_it_is) {
    Framed link;
    OK(send(link.outbound, data_frame(1, "one")));
    CHECK(link.take(1)[0].is_data());
    const std::string wrong[] = {
        "",
        "\x10",
        data_frame(0, "x"),
        data_frame(1, "again"),
        data_frame(3, "a hole"),
        std::string("\x10\x82\x00x", 4),
        std::string("\x10") + std::string(12, '\x82'),
        data_frame(2, std::string(max_message + 1, 'x')),
        "\x11" + std::string(max_message + 1, 'x'),
        "\x12key",
        "\x0F",
        "HELLO",
        data_frame(uint64_t{1} << 63, ""),
    };
    for (const std::string &each : wrong) {
        OK(send(link.outbound, each));
        const Event event = link.take(1)[0];
        CHECK(event.is_message());
        CHECK_EQUAL(event.data, each);
        CHECK_EQUAL(event.flags, GNS_SEND_RELIABLE);
    }
    OK(send(link.outbound, data_frame(2, "unreliable"), GNS_SEND_NO_NAGLE));
    CHECK(link.take(1)[0].is_message());
    OK(send(link.outbound, data_frame(2, "two"))); // none of these counts
    CHECK(link.take(1)[0].is_data());
}

TEST(streams, nothing_goes_without_credit) {
    Link link(fast(), fast());
    CHECK_EQUAL(send(link.outbound, "x", data), GNS_ERROR_HELD);
    CHECK_EQUAL(send(link.outbound, "x", untracked), GNS_ERROR_HELD);
    uint64_t out;
    OK(gns_stream_open(link.outbound, 1, 1, 1, &out));
    CHECK_EQUAL(send(link.outbound, "x", data), GNS_ERROR_HELD);
    OK(gns_stream_allow(out, 100, 250, 4));
    CHECK_EQUAL(send(link.outbound, std::string(101, 'x'), data), GNS_ERROR_TOO_LARGE);
    CHECK_EQUAL(send(link.outbound, std::string(101, 'x'), untracked), GNS_ERROR_TOO_LARGE);
    for (int64_t number = 1; number <= 3; ++number)
        CHECK_EQUAL(send(link.outbound, std::string(100, 'x'), data), number);
    CHECK_EQUAL(send(link.outbound, "", data), GNS_ERROR_HELD); // 300 bytes
    OK(gns_stream_allow(out, 100, 350, 4));
    CHECK_EQUAL(send(link.outbound, "", data), 4);
    CHECK_EQUAL(send(link.outbound, "", data), GNS_ERROR_HELD); // four messages
    OK(send(link.outbound, "", untracked));
    const char bytes[3] = {'a', 'b', 'c'};
    const uint32_t sizes[3] = {1, 1, 1};
    OK(gns_stream_allow(out, 100, plenty, 6));
    int64_t first;
    int32_t error;
    CHECK_EQUAL(gns_send_many(link.outbound, bytes, sizes, 3, data, 0, &first, &error), 2);
    CHECK_EQUAL(first, 5);
    CHECK_EQUAL(error, GNS_ERROR_HELD);
}

TEST(streams, what_is_held_waits_for_those_before) {
    Framed link;
    OK(gns_stream_hold(link.out, GNS_HOLD_DATA));
    CHECK_EQUAL(send(link.outbound, "x", data), GNS_ERROR_HELD);
    OK(send(link.outbound, "x", untracked));
    CHECK_EQUAL(send(link.outbound, "x", data | GNS_SEND_WAITED), 1);
    OK(gns_stream_hold(link.out, GNS_HOLD_ALL));
    CHECK_EQUAL(send(link.outbound, "x", untracked), GNS_ERROR_HELD);
    CHECK_EQUAL(send(link.outbound, "x", data | GNS_SEND_WAITED), 2);
    OK(gns_stream_hold(link.out, GNS_HOLD_NONE));
    CHECK_EQUAL(send(link.outbound, "x", data), 3);
    CHECK_EQUAL(gns_stream_hold(link.out, 3), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_stream_hold(link.out, -1), GNS_ERROR_BAD_VALUE);
}

TEST(streams, credit_is_granted_for_what_was_handled) {
    Framed link(10'000, 8);
    OK(gns_stream_allow(link.out, max_message, plenty, plenty)); // a peer that respects nothing
    for (int number = 1; number <= 9; ++number) OK(send(link.outbound, std::string(10, 'x'), data));
    std::vector<Event> events = link.take(9);
    for (size_t i = 0; i < 8; ++i) CHECK_EQUAL(events[i].kind, i % 2 ? GNS_EVENT_ACK_DUE_DATA : GNS_EVENT_DATA);
    CHECK(events[8].is_message()); // the ninth has no credit
    int64_t bytes, messages;
    for (int64_t quarter = 1; quarter <= 4; ++quarter) {
        for (int again = 0; again < 2; ++again) OK(gns_stream_grant(link.in, quarter, &bytes, &messages));
        CHECK_EQUAL(bytes, 10'000 + 20 * quarter);
        CHECK_EQUAL(messages, 8 + 2 * quarter);
    }
    OK(gns_stream_grant(link.in, 1'000'000, &bytes, &messages)); // nothing was due
    CHECK_EQUAL(messages, 16);
    OK(send(link.outbound, data_frame(9, "x")));
    CHECK(link.take(1)[0].is_data());
}

TEST(streams, bytes_are_bounded_too) {
    Framed link(4000, plenty);
    OK(gns_stream_allow(link.out, max_message, plenty, plenty));
    // Lanes overtake each other: one message more than the credit may arrive.
    for (int number = 1; number <= 6; ++number) OK(send(link.outbound, std::string(max_message, 'x'), data));
    const std::vector<Event> events = link.take(6);
    for (size_t i = 0; i < 6; ++i) CHECK_EQUAL(events[i].kind, i < 4 ? GNS_EVENT_ACK_DUE_DATA : GNS_EVENT_MESSAGE);
}

TEST(streams, data_does_not_count_for_a_mailbox_that_holds) {
    Framed link;
    OK(gns_mailbox_count_until_handled(link.server.handle));
    const gns_option bound{GNS_CONFIG_RECV_QUEUE_MESSAGES, GNS_TYPE_INT32, 10, 0, nullptr};
    OK(gns_config_set(GNS_SCOPE_CONNECTION, link.inbound, &bound));
    for (int number = 0; number < 50; ++number) {
        OK(send(link.outbound, "x", number % 2 ? data : untracked));
        CHECK(link.take(1)[0].is_data());
    }
}

TEST(streams, tells_when_the_last_message_came) {
    Framed link;
    const int64_t begin = gns_stream_heard(link.in);
    CHECK(begin > 0);
    for (const std::string &each : {data_frame(1, "x"), std::string("\x11"), std::string("else")}) {
        const int64_t before = gns_time_us();
        OK(send(link.outbound, each));
        link.take(1);
        CHECK(gns_stream_heard(link.in) >= before);
    }
}

TEST(streams, a_connection_has_one) {
    Framed link;
    uint64_t other = 7;
    CHECK_EQUAL(gns_stream_open(link.inbound, 1, 1, 1, &other), -k_EResultInvalidState);
    CHECK_EQUAL(other, 0u);
    CHECK_EQUAL(gns_stream_open(12345, 1, 1, 1, &other), GNS_ERROR_BAD_HANDLE);
    OK(gns_stream_close(link.in));
    OK(gns_stream_open(link.inbound, max_message, plenty, plenty, &other));
    OK(send(link.outbound, "x", data));
    CHECK(link.take(1)[0].is_data());
}

TEST(streams, after_its_close_frames_are_plain_messages) {
    Framed link;
    OK(gns_stream_close(link.in));
    OK(gns_configure_lanes(link.inbound, 1, nullptr, nullptr)); // behind the close
    OK(send(link.outbound, "one", data));
    CHECK_EQUAL(link.server.message().data, data_frame(1, "one"));
    OK(gns_stream_close(link.out));
    CHECK_EQUAL(send(link.outbound, "x", data), GNS_ERROR_HELD);
    CHECK_EQUAL(send(link.outbound, "x", untracked), GNS_ERROR_HELD);
    CHECK_EQUAL(gns_stream_close(link.out), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_stream_hold(link.out, GNS_HOLD_ALL), GNS_ERROR_BAD_HANDLE);
    OK(close(link.outbound));
    CHECK(send(link.outbound, "x", data) != GNS_ERROR_HELD);
}

TEST(streams, an_ack_is_due_after_a_megabyte_however_large_the_credit_is) {
    Framed link;
    for (int number = 1; number <= 1049; ++number) {
        if (number % 200 == 0) OK(gns_connection_wait_drained(link.outbound, patience_us, 0, 0));
        OK(send(link.outbound, std::string(max_message, 'x'), data));
        CHECK_EQUAL(link.take(1)[0].kind, number == 1049 ? GNS_EVENT_ACK_DUE_DATA : GNS_EVENT_DATA); // 1,048,576 bytes
    }
}

TEST(streams, several_threads_send_while_others_are_held) {
    Framed link;
    constexpr int threads = 4, each = 2000 / instrumented;
    std::vector<std::thread> senders;
    for (int i = 0; i < threads; ++i)
        senders.emplace_back([&] {
            for (int sent = 0; sent < each;)
                if (send(link.outbound, "x", data) > 0) ++sent;
        });
    std::thread holder([&] {
        for (int i = 0; i < 500; ++i) {
            OK(gns_stream_hold(link.out, GNS_HOLD_DATA));
            int64_t sent[1];
            OK(gns_stream_sent(link.out, sent, 1));
            CHECK_EQUAL(send(link.outbound, "waited", data | GNS_SEND_WAITED), sent[0] + 1); // nothing between them
            OK(gns_stream_hold(link.out, GNS_HOLD_NONE));
        }
    });
    int64_t number = 0;
    for (const Event &event : link.take(threads * each + 500)) CHECK_EQUAL(event.number, ++number);
    for (std::thread &sender : senders) sender.join();
    holder.join();
}

TEST(streams, any_bytes_are_survived) {
    Framed link;
    std::mt19937 random(20261122);
    uint64_t number = 1;
    for (int i = 0; i < 4000 / instrumented; ++i) {
        std::string bytes(1 + random() % 14, '\0');
        for (char &byte : bytes) byte = static_cast<char>(random() % 2 ? random() : random() % 3);
        bytes[0] = "\x10\x11\x12"[random() % 3];
        if (random() % 4 == 0) bytes = data_frame(number, bytes);
        OK(send(link.outbound, bytes, GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE));
        const Event event = link.take(1)[0];
        const std::string right = data_frame(number, "");
        if (bytes.compare(0, right.size(), right) == 0) {
            CHECK(event.is_data());
            CHECK_EQUAL(event.data, bytes.substr(right.size()));
            CHECK_EQUAL(event.number, static_cast<int64_t>(number++));
        } else {
            CHECK_EQUAL(event.is_data(), bytes[0] == '\x11');
            CHECK_EQUAL(event.data, bytes[0] == '\x11' ? bytes.substr(1) : bytes);
        }
    }
}
