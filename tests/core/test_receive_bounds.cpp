// A reader that is too slow loses its connection, but not its messages, nor those of others.
#include "core.hpp"

namespace {

std::string numbered(int number, size_t size) {
    std::string digits = std::to_string(number);
    digits.insert(0, 8 - digits.size(), '0');
    digits.resize(size, 'x');
    return digits;
}

// Returns the events of a connection that was sent too much: the first messages, then the end.
void check_overflow(Mailbox &mailbox, uint64_t connection, size_t expected) {
    size_t messages = 0;
    const Event end = mailbox.until([&](const Event &event) {
        if (event.connection != connection) return false;
        if (event.is_message()) CHECK_EQUAL(event.data, numbered(static_cast<int>(messages++), event.data.size()));
        return event.is_end();
    });
    CHECK_EQUAL(messages, expected);
    CHECK_EQUAL(end.new_state, problem_locally);
    CHECK_EQUAL(end.code, GNS_END_MESSAGE_QUEUE_LIMIT_REACHED);
    CHECK(std::string(end.info.end_text).find("slow") != std::string::npos);
    CHECK_EQUAL(gns_connection_state(connection), problem_locally);
    OK(close(connection));
}

} // namespace

TEST(receive_bounds, messages) {
    Link link(fast().set(GNS_CONFIG_RECV_QUEUE_MESSAGES, 100), fast());
    const auto [other, its_client] = link.add();
    for (int i = 0; i < 150; ++i) OK(send(link.outbound, numbered(i, 8)));
    const Event there = link.client.end_of(link.outbound);
    CHECK_EQUAL(there.new_state, closed_by_peer);
    CHECK_EQUAL(there.code, GNS_END_MESSAGE_QUEUE_LIMIT_REACHED);
    check_overflow(link.server, link.inbound, 100);
    check_alive(link.server, other, link.client, its_client);
}

TEST(receive_bounds, bytes) {
    Link link(fast().set(GNS_CONFIG_RECV_QUEUE_BYTES, 50'000), fast());
    const auto [other, its_client] = link.add();
    for (int i = 0; i < 60; ++i) OK(send(link.outbound, numbered(i, 1000)));
    CHECK_EQUAL(link.client.end_of(link.outbound).code, GNS_END_MESSAGE_QUEUE_LIMIT_REACHED);
    check_overflow(link.server, link.inbound, 50);
    check_alive(link.server, other, link.client, its_client);
}

TEST(receive_bounds, reading_makes_room) {
    Link link(fast().set(GNS_CONFIG_RECV_QUEUE_MESSAGES, 100).set(GNS_CONFIG_RECV_QUEUE_BYTES, 20'000), fast());
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 20; ++i) OK(send(link.outbound, numbered(i, 500)));
        for (int i = 0; i < 20; ++i) CHECK_EQUAL(link.server.message().data, numbered(i, 500));
    }
}

TEST(receive_bounds, one_large_message_always_fits) {
    Link link(fast().set(GNS_CONFIG_RECV_QUEUE_BYTES, 4096), fast());
    OK(send(link.outbound, numbered(0, 100'000)));
    CHECK_EQUAL(link.server.message().data, numbered(0, 100'000));
}

TEST(receive_bounds, are_options_of_living_connections) {
    Link link(fast(), fast());
    const gns_option bound{GNS_CONFIG_RECV_QUEUE_MESSAGES, GNS_TYPE_INT32, 10, 0, nullptr};
    OK(gns_config_set(GNS_SCOPE_CONNECTION, link.inbound, &bound));
    for (int i = 0; i < 11; ++i) OK(send(link.outbound, numbered(i, 8)));
    link.client.end_of(link.outbound);
    check_overflow(link.server, link.inbound, 10);
}

TEST(receive_bounds, a_mailbox_that_holds_counts_until_handled) {
    Link link(fast().set(GNS_CONFIG_RECV_QUEUE_MESSAGES, 10).set(GNS_CONFIG_RECV_QUEUE_BYTES, 100'000), fast());
    OK(gns_mailbox_count_until_handled(link.server.handle));
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 10; ++i) OK(send(link.outbound, numbered(i, 100)));
        for (int i = 0; i < 10; ++i) CHECK_EQUAL(link.server.message().data, numbered(i, 100));
        OK(gns_connection_handled(link.inbound, 10, 1000));
    }
    for (int i = 0; i < 11; ++i) OK(send(link.outbound, numbered(i, 100)));
    CHECK_EQUAL(link.client.end_of(link.outbound).code, GNS_END_MESSAGE_QUEUE_LIMIT_REACHED);
    check_overflow(link.server, link.inbound, 10);
    CHECK_EQUAL(gns_connection_handled(link.inbound, 1, 1), GNS_ERROR_BAD_HANDLE);
}
