// Closing connections and listen sockets: with linger and without, reasons and texts, ports.
#include "core.hpp"

namespace {

size_t messages_until_end(Mailbox &mailbox, uint64_t connection, Event *end) {
    size_t count = 0;
    *end = mailbox.until([&](const Event &event) {
        count += event.is_message() && event.connection == connection;
        return event.connection == connection && event.is_end();
    });
    return count;
}

} // namespace

TEST(closing, without_linger_discards_what_is_queued) {
    Link link({}, rate(100'000));
    for (int i = 0; i < 100; ++i) OK(send(link.outbound, std::string(1000, 'x')));
    const int64_t begin = gns_time_us();
    OK(close(link.outbound, 1000));
    Event end;
    CHECK(messages_until_end(link.server, link.inbound, &end) < 100);
    CHECK(gns_time_us() - begin < 900'000);
}

TEST(closing, with_linger_delivers_it) {
    Link link({}, rate(200'000));
    for (int i = 0; i < 100; ++i) OK(send(link.outbound, std::string(1000, 'x')));
    OK(close(link.outbound, 1234, "done", true));
    CHECK_EQUAL(gns_connection_state(link.outbound), GNS_ERROR_BAD_HANDLE);
    CHECK(link.client.next().is_end()); // at once
    Event end;
    CHECK_EQUAL(messages_until_end(link.server, link.inbound, &end), size_t{100});
    CHECK_EQUAL(end.new_state, closed_by_peer);
    CHECK_EQUAL(end.code, 1234);
    CHECK_EQUAL(std::string(end.info.end_text), "done");
}

TEST(closing, takes_effect_after_what_was_sent_before) {
    Link link(fast(), fast());
    for (int i = 0; i < 50; ++i) {
        const auto [inbound, outbound] = link.add();
        OK(send(outbound, "last words"));
        OK(close(outbound, 1000, "", true));
        Event end;
        CHECK_EQUAL(messages_until_end(link.server, inbound, &end), size_t{1});
        OK(close(inbound));
    }
}

TEST(closing, throws_unread_messages_away) {
    Link link(fast(), fast());
    for (int i = 0; i < 10; ++i) OK(send(link.outbound, "unread"));
    OK(send(link.inbound, "ping"));
    link.client.message();
    gns_send_queue queue;
    wait_until([&] { return gns_connection_send_queue(link.outbound, &queue) == 0 && queue.messages == 0; },
               "all acked");
    OK(close(link.inbound));
    const Event end = link.server.next();
    CHECK(end.is_end());
    CHECK(link.server.all_within(50'000).empty());
}

TEST(closing, refuses_reasons_and_texts_that_GNS_would_change) {
    Link link;
    const std::string longest(GNS_MAX_END_TEXT, 'x');
    for (const int32_t reason : {-1, 0, 999, 3000, 5003}) {
        CHECK_EQUAL(close(link.outbound, reason), GNS_ERROR_BAD_REASON);
        CHECK_EQUAL(gns_listen_close(link.socket, reason, nullptr, 0, 0), GNS_ERROR_BAD_REASON);
    }
    for (const std::string &text : {longest + "x", std::string("a\0b", 3)}) {
        CHECK_EQUAL(close(link.outbound, 1000, text), GNS_ERROR_BAD_TEXT);
        CHECK_EQUAL(gns_listen_close(link.socket, 1000, text.data(), static_cast<int32_t>(text.size()), 0),
                    GNS_ERROR_BAD_TEXT);
    }
    CHECK_EQUAL(gns_close(link.outbound, 1000, nullptr, 1, 0), GNS_ERROR_BAD_TEXT);
    CHECK_EQUAL(gns_close(link.outbound, 1000, "x", -1, 0), GNS_ERROR_BAD_TEXT);
    check_alive(link.server, link.inbound, link.client, link.outbound);
    OK(close(link.outbound, 2999, longest));
    const Event end = link.server.end_of(link.inbound);
    CHECK_EQUAL(end.code, 2999);
    CHECK_EQUAL(std::string(end.info.end_text), longest);
}

TEST(closing, a_listen_socket_gives_its_port_back_at_once) {
    Mailbox mailbox;
    const gns_address address = free_address();
    for (int i = 0; i < 20; ++i) OK(gns_listen_close(listen(mailbox, address), 1000, nullptr, 0, 1));
    const uint64_t socket = listen(mailbox, address);
    gns_address told;
    OK(gns_listen_address(socket, &told));
    CHECK_EQUAL(told.port, address.port);
    expect_log("bind");
    uint64_t second = 0;
    CHECK_EQUAL(gns_listen(mailbox.handle, &address, nullptr, 0, nullptr, nullptr, &second), GNS_ERROR_SYSTEM);
    const gns_address no_port = loopback(0);
    CHECK_EQUAL(gns_listen(mailbox.handle, &no_port, nullptr, 0, nullptr, nullptr, &second), -8);
}

TEST(closing, a_listen_socket_with_children_that_linger) {
    Link link(rate(200'000));
    const auto [second, its_client] = link.add();
    for (int i = 0; i < 50; ++i) {
        OK(send(link.inbound, std::string(1000, 'x')));
        OK(send(second, std::string(1000, 'x')));
    }
    OK(gns_listen_close(link.socket, 1001, "restart", 7, 1));
    CHECK_EQUAL(gns_listen_close(link.socket, 1001, nullptr, 0, 1), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_state(second), GNS_ERROR_BAD_HANDLE);
    size_t messages = 0, ends = 0;
    link.client.until([&](const Event &event) {
        messages += event.is_message();
        if (event.is_end()) {
            CHECK_EQUAL(event.code, 1001);
            ++ends;
        }
        return ends == 2;
    });
    CHECK_EQUAL(messages, size_t{100});
    expect_log("bind"); // while it is not free yet
    uint64_t again = 0;
    wait_until([&] { return gns_listen(link.server.handle, &link.address, nullptr, 0, nullptr, nullptr, &again) == 0; },
               "the port is free");
    static_cast<void>(its_client);
}

TEST(closing, a_listen_socket_lets_nobody_in_while_its_children_linger) {
    Link link(rate(100'000));
    for (int i = 0; i < 50; ++i) OK(send(link.inbound, std::string(1000, 'x')));
    OK(gns_listen_close(link.socket, 1001, nullptr, 0, 1));
    const uint64_t late =
        connect(link.client, link.address, Options().set(k_ESteamNetworkingConfig_TimeoutInitial, 400));
    const Event end = link.client.end_of(late);
    CHECK(end.new_state == closed_by_peer || end.new_state == problem_locally);
    for (const Event &event : link.server.all_within(50'000)) CHECK(event.new_state != connecting);
}

TEST(closing, lingering_ends_with_the_timeout_if_the_peer_is_silent) {
    const Options impatient = Options().set(k_ESteamNetworkingConfig_TimeoutConnected, 400);
    Link link(impatient);
    const Fault cut(k_ESteamNetworkingConfig_FakePacketLoss_Recv, 100);
    OK(send(link.inbound, "never acked"));
    const int64_t begin = gns_time_us();
    OK(gns_listen_close(link.socket, 1001, nullptr, 0, 1));
    expect_log("bind");
    uint64_t again = 0;
    wait_until([&] { return gns_listen(link.server.handle, &link.address, nullptr, 0, nullptr, nullptr, &again) == 0; },
               "the port is free");
    CHECK(gns_time_us() - begin < 2'000'000);
}
