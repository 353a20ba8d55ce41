// Every connection ends with exactly one terminal event, whoever ended it, and nothing follows it.
#include "core.hpp"

namespace {

// Checks that one connection's events so far end with its only end, and returns that.
Event the_one_end(const std::vector<Event> &events, uint64_t connection) {
    std::vector<Event> ends;
    const Event *last = nullptr;
    for (const Event &event : events) {
        if (event.connection != connection) continue;
        if (event.is_end()) ends.push_back(event);
        last = &event;
    }
    CHECK_EQUAL(ends.size(), size_t{1});
    CHECK(last->is_end());
    const Event &end = ends.front();
    CHECK_EQUAL(end.info.state, end.new_state);
    CHECK_EQUAL(end.info.end_reason, end.code);
    return end;
}

// Waits for the end, and for what must not follow it.
Event the_one_end(Mailbox &mailbox, uint64_t connection) {
    std::vector<Event> events{mailbox.end_of(connection)};
    for (Event &event : mailbox.all_within(50'000)) events.push_back(std::move(event));
    return the_one_end(events, connection);
}

Event the_one_end(Mailbox &mailbox, uint64_t connection, int32_t state, int32_t reason) {
    Event end = the_one_end(mailbox, connection);
    CHECK_EQUAL(end.new_state, state);
    CHECK_EQUAL(end.code, reason);
    return end;
}

// After an end that this side did not choose, a connection can be queried until it is closed, which is not an event.
void check_ended_and_close(Mailbox &mailbox, uint64_t connection, int32_t state, int32_t reason) {
    gns_connection_info info;
    CHECK_EQUAL(gns_connection_state(connection), state);
    OK(gns_connection_info_get(connection, &info));
    CHECK_EQUAL(info.end_reason, reason);
    CHECK_EQUAL(send(connection, "x"), -3);
    OK(close(connection));
    CHECK_EQUAL(close(connection), GNS_ERROR_BAD_HANDLE);
    CHECK(mailbox.all_within(50'000).empty());
}

} // namespace

TEST(ends, closed_here_and_by_the_peer) {
    Link link;
    OK(close(link.outbound, 1234, "good bye"));
    CHECK_EQUAL(gns_connection_state(link.outbound), GNS_ERROR_BAD_HANDLE);
    const Event here = the_one_end(link.client, link.outbound, none, 1234);
    CHECK_EQUAL(here.old_state, connected);
    const Event there = the_one_end(link.server, link.inbound, closed_by_peer, 1234);
    CHECK_EQUAL(there.old_state, connected);
    CHECK_EQUAL(std::string(there.info.end_text), "good bye");
    check_ended_and_close(link.server, link.inbound, closed_by_peer, 1234);
}

TEST(ends, closed_by_both_at_once) {
    Link link;
    for (int i = 0; i < 20; ++i) {
        const auto [inbound, outbound] = link.add();
        OK(close(inbound, 1001));
        const int32_t result = close(outbound, 1002);
        CHECK_EQUAL(result, 0);
        the_one_end(link.client.all_within(20'000), outbound);
        the_one_end(link.server.all_within(20'000), inbound);
    }
}

TEST(ends, who_has_seen_it_sees_nothing_else_any_more) {
    Link link(fast(), fast());
    for (int round = 0; round < 400 / instrumented; ++round) {
        const auto [inbound, outbound] = link.add();
        OK(close(inbound));
        gns_connection_info info{};
        const int64_t deadline = gns_time_us() + patience_us;
        for (info.state = connected;
             info.state == connected && gns_time_us() < deadline;) // without a pause, so as not to be too late
            OK(gns_connection_info_get(outbound, &info));
        for (int again = 0; again < 200; ++again) { // meanwhile the pump learns of it, and closes GNS's connection
            OK(gns_connection_info_get(outbound, &info));
            CHECK_EQUAL(info.state, closed_by_peer);
        }
        OK(close(outbound));
    }
}

TEST(ends, refused) {
    Mailbox server, client;
    const gns_address address = free_address();
    listen(server, address);
    const uint64_t outbound = connect(client, address);
    const Event request = server.next();
    OK(close(request.connection, 1003, "full"));
    the_one_end(server, request.connection, none, 1003);
    const Event there = the_one_end(client, outbound, closed_by_peer, 1003);
    CHECK_EQUAL(there.old_state, connecting);
    CHECK_EQUAL(std::string(there.info.end_text), "full");
    check_ended_and_close(client, outbound, closed_by_peer, 1003);
}

TEST(ends, nobody_there) {
    Mailbox client;
    const uint64_t outbound =
        connect(client, free_address(), Options().set(k_ESteamNetworkingConfig_TimeoutInitial, 300));
    the_one_end(client, outbound, problem_locally, 5003);
    check_ended_and_close(client, outbound, problem_locally, 5003);
}

TEST(ends, neither_accepted_nor_refused) {
    expect_log("didn't accept or close incoming connection");
    const Options impatient = Options().set(k_ESteamNetworkingConfig_TimeoutInitial, 300);
    Mailbox server, client;
    const gns_address address = free_address();
    listen(server, address, impatient);
    const uint64_t outbound = connect(client, address, impatient);
    const uint64_t inbound = server.next().connection;
    CHECK(the_one_end(client, outbound).new_state >= closed_by_peer); // whichever side's time is up first
    CHECK(the_one_end(server, inbound).new_state >= closed_by_peer);
    CHECK_EQUAL(gns_accept(inbound, 0), -3);
}

TEST(ends, closed_while_connecting) {
    Mailbox client;
    const uint64_t outbound = connect(client, free_address());
    OK(close(outbound, 1000));
    const std::vector<Event> events = client.all_within(50'000);
    CHECK_EQUAL(the_one_end(events, outbound).new_state, none);
}

TEST(ends, the_network_is_cut) {
    const Options impatient = Options().set(k_ESteamNetworkingConfig_TimeoutConnected, 500);
    Link link(impatient, impatient);
    const Fault cut(k_ESteamNetworkingConfig_FakePacketLoss_Recv, 100);
    OK(send(link.outbound, "into the void"));
    OK(send(link.inbound, "into the void"));
    the_one_end(link.client, link.outbound, problem_locally, 5003);
    the_one_end(link.server, link.inbound, problem_locally, 5003);
    check_ended_and_close(link.server, link.inbound, problem_locally, 5003);
}

TEST(ends, a_message_is_larger_than_the_receiver_allows) {
    Link link(Options().set(k_ESteamNetworkingConfig_RecvMaxMessageSize, 1000));
    OK(send(link.outbound, std::string(5000, 'x')));
    the_one_end(link.server, link.inbound, problem_locally, 5002);
    the_one_end(link.client, link.outbound, closed_by_peer, 5002);
}

TEST(ends, listen_socket_closed) {
    Link link;
    link.add();
    OK(gns_listen_close(link.socket, GNS_END_GOING_AWAY, "restart", 7, 0));
    CHECK_EQUAL(gns_connection_state(link.inbound), GNS_ERROR_BAD_HANDLE);
    the_one_end(link.server, link.inbound, none, GNS_END_GOING_AWAY);
    const Event there = the_one_end(link.client, link.outbound, closed_by_peer, GNS_END_GOING_AWAY);
    CHECK_EQUAL(std::string(there.info.end_text), "restart");
}

TEST(ends, stopped) {
    Link link;
    OK(gns_stop(0));
    the_one_end(link.server.all_within(50'000), link.inbound);
    CHECK_EQUAL(the_one_end(link.client.all_within(50'000), link.outbound).code, GNS_END_SHUTDOWN);
}

TEST(ends, in_memory) {
    Mailbox mailbox;
    uint64_t a = 0, b = 0;
    OK(gns_socket_pair(mailbox.handle, mailbox.handle, 0, nullptr, 0, nullptr, 0, &a, &b));
    OK(close(a, 1005, "enough"));
    const std::vector<Event> events = mailbox.all_within(200'000);
    CHECK_EQUAL(the_one_end(events, a).new_state, none);
    const Event there = the_one_end(events, b);
    CHECK_EQUAL(there.new_state, closed_by_peer);
    CHECK_EQUAL(there.code, 1005);
    CHECK_EQUAL(std::string(there.info.end_text), "enough");
    check_ended_and_close(mailbox, b, closed_by_peer, 1005);
}

TEST(ends, without_a_mailbox_there_is_nobody_to_tell) {
    Link link;
    uint64_t handle = 0;
    OK(gns_mailbox_create(&handle));
    uint64_t outbound = 0;
    OK(gns_connect(handle, &link.address, nullptr, 0, nullptr, &outbound));
    const uint64_t inbound = link.server.next().connection;
    OK(gns_accept(inbound, 0));
    OK(gns_mailbox_destroy(handle));
    wait_until([&] { return gns_connection_state(outbound) == connected; }, "connected");
    OK(send(outbound, "I can still speak"));
    CHECK_EQUAL(link.server.message().data, "I can still speak");
    OK(send(inbound, "into the void"));
    OK(close(outbound, 1000, "", true));
    the_one_end(link.server, inbound, closed_by_peer, 1000);
}

TEST(ends, what_had_arrived_can_be_read) {
    Link link(fast(), fast());
    for (int i = 0; i < 100; ++i) OK(send(link.outbound, std::to_string(i)));
    OK(close(link.outbound, 1000, "", true));
    wait_until([&] { return gns_connection_state(link.inbound) == closed_by_peer; }, "closed by peer");
    for (int i = 0; i < 100; ++i) CHECK_EQUAL(link.server.next().data, std::to_string(i));
    CHECK(link.server.next().is_end());
}
