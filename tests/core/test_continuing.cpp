// Streams that begin where those of another process have stopped.
#include "core.hpp"

namespace {

constexpr int32_t data = GNS_SEND_RELIABLE | GNS_SEND_FRAMED | GNS_SEND_NO_NAGLE;
constexpr uint32_t max_message = 1000;
constexpr int64_t plenty = 1'000'000'000;

// A connection with a stream at each end: the client's sends, the server's receives.
struct Streams : Link {
    explicit Streams(int64_t credit = plenty) : Link(fast(), fast()) {
        OK(gns_configure_lanes(outbound, 3, nullptr, nullptr));
        OK(gns_stream_open(inbound, max_message, credit, credit, &in));
        OK(gns_stream_open(outbound, max_message, plenty, plenty, &out));
        OK(gns_stream_allow(out, max_message, plenty, plenty));
    }
    Event take() {
        return server.until([](const Event &event) { return event.is_message() || event.is_data(); });
    }
    uint64_t in, out;
};

constexpr int64_t nothing[3] = {0, 0, 0};

} // namespace

TEST(continuing, numbers_go_on_in_both_directions) {
    Streams link;
    const int64_t place[3] = {7, 0, 1'000'000'000'000};
    const int64_t totals[4] = {500, 400, plenty, plenty + place[2]};
    OK(gns_stream_continue(link.out, place, nothing, 3, totals));
    OK(gns_stream_continue(link.in, nothing, place, 3, totals));
    int64_t numbers[3];
    OK(gns_stream_sent(link.out, numbers, 3));
    for (size_t lane = 0; lane < 3; ++lane) CHECK_EQUAL(numbers[lane], place[lane]);
    OK(gns_stream_arrived(link.in, numbers, 3));
    for (size_t lane = 0; lane < 3; ++lane) CHECK_EQUAL(numbers[lane], place[lane]);
    OK(gns_stream_allow(link.out, max_message, plenty, plenty + place[2]));
    for (uint16_t lane = 0; lane < 3; ++lane) CHECK_EQUAL(send(link.outbound, "next", data, lane), place[lane] + 1);
    for (int i = 0; i < 3; ++i) {
        const Event event = link.take();
        CHECK(event.is_data());
        CHECK_EQUAL(event.number, place[event.lane] + 1);
    }
}

TEST(continuing, credit_counts_what_was_before) {
    Streams link(100);
    const int64_t place[3] = {10, 0, 0};
    const int64_t totals[4] = {950, 950, 1010, 12};
    OK(gns_stream_continue(link.out, place, nothing, 3, totals));
    OK(gns_stream_continue(link.in, nothing, place, 3, totals));
    OK(gns_stream_allow(link.out, max_message, 1010, 12));
    CHECK_EQUAL(send(link.outbound, std::string(50, 'x'), data), 11);
    CHECK_EQUAL(send(link.outbound, std::string(50, 'x'), data), 12);
    CHECK_EQUAL(send(link.outbound, "x", data), GNS_ERROR_HELD);
    CHECK_EQUAL(link.take().number, 11);
    CHECK_EQUAL(link.take().number, 12);
    int64_t bytes, messages;
    OK(gns_stream_grant(link.in, 0, &bytes, &messages));
    CHECK_EQUAL(bytes, 1010);
    CHECK_EQUAL(messages, 12);
    OK(gns_stream_grant(link.in, 2, &bytes, &messages));
    CHECK_EQUAL(bytes, 1150); // all that has arrived, and the first credit
    CHECK_EQUAL(messages, 112);
}

TEST(continuing, what_was_not_agreed_does_not_arrive_as_data) {
    Streams link;
    const int64_t place[1] = {4};
    const int64_t totals[4] = {0, 40, plenty, 5};
    OK(gns_stream_continue(link.in, nothing, place, 1, totals));
    for (const char number : {'\x04', '\x06', '\x01'}) {
        OK(send(link.outbound, std::string("\x10") + number + "wrong"));
        CHECK(link.take().is_message());
    }
    OK(send(link.outbound, "\x10\x05right"));
    CHECK(link.take().is_data());
    OK(send(link.outbound, "\x10\x06without credit"));
    CHECK(link.take().is_message());
}

TEST(continuing, says_what_is_wrong) {
    Streams link;
    const int64_t place[1] = {4}, negative[1] = {-1};
    const int64_t totals[4] = {0, 0, plenty, plenty}, owed[4] = {0, -1, plenty, plenty};
    CHECK_EQUAL(gns_stream_continue(link.out, negative, nothing, 1, totals), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_stream_continue(link.out, nothing, negative, 1, totals), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_stream_continue(link.out, nothing, nothing, 1, owed), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_stream_continue(link.out, nothing, nothing, -1, totals), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_stream_continue(link.out, nothing, nothing, GNS_MAX_LANES + 1, totals), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(send(link.outbound, "first", data), 1);
    CHECK_EQUAL(gns_stream_continue(link.out, place, nothing, 1, totals), -k_EResultInvalidState);
    CHECK(link.take().is_data());
    CHECK_EQUAL(gns_stream_continue(link.in, nothing, place, 1, totals), -k_EResultInvalidState);
    OK(gns_stream_close(link.in));
    CHECK_EQUAL(gns_stream_continue(link.in, nothing, place, 1, totals), GNS_ERROR_BAD_HANDLE);
}
