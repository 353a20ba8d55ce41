// Socket pairs: two connected ends in one process.
#include "core.hpp"

namespace {

struct Pair {
    explicit Pair(bool network, const std::string &first = "", const std::string &second = "") {
        OK(gns_socket_pair(mailbox_a.handle, mailbox_b.handle, network, first.data(),
                           static_cast<int32_t>(first.size()), second.data(), static_cast<int32_t>(second.size()), &a,
                           &b));
    }
    Mailbox mailbox_a, mailbox_b;
    uint64_t a = 0, b = 0;
};

void check_pair(bool network) {
    Pair pair(network, "str:alice", "str:bob");
    CHECK_EQUAL(gns_connection_state(pair.a), connected);
    CHECK_EQUAL(gns_connection_state(pair.b), connected);
    CHECK(pair.mailbox_a.all_within(20'000).empty()); // no event for being made
    gns_connection_info info;
    OK(gns_connection_info_get(pair.b, &info));
    CHECK_EQUAL(std::string(info.identity), "str:alice");
    OK(gns_connection_info_get(pair.a, &info));
    CHECK_EQUAL(std::string(info.identity), "str:bob");
    check_alive(pair.mailbox_a, pair.a, pair.mailbox_b, pair.b);
    for (int i = 0; i < 200; ++i) OK(send(pair.a, std::to_string(i)));
    for (int i = 0; i < 200; ++i) CHECK_EQUAL(pair.mailbox_b.message().data, std::to_string(i));
    CHECK_EQUAL(gns_accept(pair.a, 0), -8);
}

// A pump that went on sleeping with something to do would take up to a second each time.
void check_prompt(bool network) {
    Pair pair(network);
    pair.mailbox_a.all_within(50'000);
    const int64_t begin = gns_time_us();
    for (int i = 0; i < 20; ++i) {
        OK(send(pair.a, "ping", GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE));
        pair.mailbox_b.message();
    }
    CHECK(gns_time_us() - begin < 2'000'000);
}

} // namespace

TEST(pairs, in_memory) { check_pair(false); }
TEST(pairs, over_loopback) { check_pair(true); }
TEST(pairs, in_memory_are_prompt) { check_prompt(false); }
TEST(pairs, over_loopback_are_prompt) { check_prompt(true); }

TEST(pairs, close_is_prompt) {
    for (const bool network : {false, true}) {
        Pair pair(network);
        pair.mailbox_a.all_within(50'000);
        const int64_t begin = gns_time_us();
        OK(close(pair.a, 1000));
        pair.mailbox_b.end_of(pair.b);
        CHECK(gns_time_us() - begin < 500'000);
    }
}

TEST(pairs, refuse_what_is_no_identity) {
    Mailbox mailbox;
    uint64_t a = 0, b = 0;
    CHECK_EQUAL(gns_socket_pair(mailbox.handle, mailbox.handle, 0, "nobody", 6, nullptr, 0, &a, &b),
                GNS_ERROR_BAD_IDENTITY);
    CHECK_EQUAL(gns_socket_pair(mailbox.handle, mailbox.handle, 0, nullptr, 0, "nobody", 6, &a, &b),
                GNS_ERROR_BAD_IDENTITY);
}

TEST(pairs, in_memory_have_the_same_bounds) {
    Pair pair(false);
    CHECK_EQUAL(send(pair.a, std::string(GNS_MAX_MESSAGE_SIZE + 1, 'x')), GNS_ERROR_TOO_LARGE);
    OK(send(pair.a, std::string(GNS_MAX_MESSAGE_SIZE, 'x')));
    CHECK_EQUAL(pair.mailbox_b.message().data.size(), size_t{GNS_MAX_MESSAGE_SIZE});
    const gns_option bound{GNS_CONFIG_RECV_QUEUE_MESSAGES, GNS_TYPE_INT32, 10, 0, nullptr};
    OK(gns_config_set(GNS_SCOPE_CONNECTION, pair.b, &bound));
    for (int i = 0; i < 20; ++i) static_cast<void>(send(pair.a, "x"));
    wait_until([&] { return gns_connection_state(pair.b) == problem_locally; }, "overflow");
    size_t messages = 0;
    const Event end = pair.mailbox_b.until([&](const Event &event) {
        messages += event.is_message();
        return event.is_end();
    });
    CHECK_EQUAL(end.code, GNS_END_MESSAGE_QUEUE_LIMIT_REACHED);
    CHECK_EQUAL(messages, size_t{10});
    CHECK_EQUAL(pair.mailbox_a.end_of(pair.a).code, GNS_END_MESSAGE_QUEUE_LIMIT_REACHED);
}
