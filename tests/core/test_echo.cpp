// Messages over UDP: what goes in comes out.
#include "core.hpp"

namespace {

std::string pattern(size_t size) {
    std::string data(size, 0);
    for (size_t i = 0; i < size; ++i) data[i] = static_cast<char>(i * 131 + size);
    return data;
}

} // namespace

TEST(echo, sizes_both_ways) {
    Link link(fast(), fast());
    int64_t number = 0;
    for (const size_t size : {0, 1, 32, 1199, 1200, 16'500, 200'000, GNS_MAX_MESSAGE_SIZE - 100}) {
        CHECK_EQUAL(send(link.outbound, pattern(size)), ++number);
        const Event there = link.server.message();
        CHECK_EQUAL(there.connection, link.inbound);
        CHECK(there.data == pattern(size));
        CHECK_EQUAL(there.number, number);
        CHECK_EQUAL(there.flags, GNS_SEND_RELIABLE);
        CHECK_EQUAL(there.lane, 0);
        CHECK(there.time_us > 0 && there.time_us <= gns_time_us());
        CHECK_EQUAL(send(link.inbound, there.data), number);
        CHECK(link.client.message().data == pattern(size));
    }
}

TEST(echo, the_largest_message) {
    const Options options = fast().set(k_ESteamNetworkingConfig_SendBufferSize, 2 << 20);
    Link link(options, options);
    OK(send(link.outbound, pattern(GNS_MAX_MESSAGE_SIZE)));
    CHECK(link.server.message().data == pattern(GNS_MAX_MESSAGE_SIZE));
}

TEST(echo, unreliable) {
    Link link(fast(), fast());
    for (const size_t size : {0, 1, 1200, 15'000}) {
        // On loopback hardly any is lost; certainly not all of twenty.
        for (int i = 0; i < 20; ++i) OK(send(link.outbound, pattern(size), i % 2 ? GNS_SEND_NO_NAGLE : 0));
        const Event there = link.server.message();
        CHECK(there.data == pattern(size));
        CHECK_EQUAL(there.flags, 0);
        OK(send(link.outbound, "next"));
        link.server.until([](const Event &event) { return event.data == "next"; });
    }
}

TEST(echo, keeps_order_when_packets_are_lost_and_late) {
    constexpr int count = 3000 / instrumented;
    const auto numbered = [](int number) { return std::to_string(number) + std::string(200, 'x'); };
    const Options options = fast().set(k_ESteamNetworkingConfig_SendBufferSize, 1 << 20);
    Link link(options, options);
    const Fault loss(k_ESteamNetworkingConfig_FakePacketLoss_Send, 5);
    const Fault reorder(k_ESteamNetworkingConfig_FakePacketReorder_Send, 5);
    for (int i = 1; i <= count; ++i) {
        CHECK_EQUAL(send(link.outbound, numbered(i)), i);
        CHECK_EQUAL(send(link.inbound, numbered(-i)), i);
    }
    for (int i = 1; i <= count; ++i) {
        const Event there = link.server.message();
        CHECK_EQUAL(there.data, numbered(i));
        CHECK_EQUAL(there.number, i);
        CHECK_EQUAL(link.client.message().data, numbered(-i));
    }
}

TEST(echo, sent_before_connected_arrives) {
    Mailbox server, client;
    const gns_address address = free_address();
    listen(server, address);
    const uint64_t outbound = connect(client, address);
    OK(send(outbound, "early"));
    const Event request = server.next();
    CHECK_EQUAL(request.new_state, connecting);
    OK(send(request.connection, "early, too"));
    OK(gns_accept(request.connection, 0));
    CHECK_EQUAL(server.message().data, "early");
    CHECK_EQUAL(client.message().data, "early, too");
}

TEST(echo, over_ipv6) {
    Mailbox server, client;
    gns_address address = free_address();
    const uint8_t localhost[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    std::copy(std::begin(localhost), std::end(localhost), address.ip);
    uint64_t socket = 0;
    expect_log("bind"); // a machine without IPv6
    if (gns_listen(server.handle, &address, nullptr, 0, nullptr, nullptr, &socket) == GNS_ERROR_SYSTEM) return;
    const uint64_t outbound = connect(client, address);
    const Event request = server.next();
    CHECK(std::equal(std::begin(localhost), std::end(localhost), request.info.remote_address.ip));
    OK(gns_accept(request.connection, 0));
    check_alive(server, request.connection, client, outbound);
}

TEST(echo, flush_does_not_wait_for_nagle) {
    const Options options = fast().set(k_ESteamNetworkingConfig_NagleTime, 20'000);
    Link link(options, options);
    OK(send(link.outbound, "x"));
    OK(gns_flush(link.outbound));
    CHECK_EQUAL(link.server.message().data, "x");
}

TEST(echo, an_accepted_connection_moves_to_another_mailbox) {
    Mailbox door, room, client;
    const gns_address address = free_address();
    listen(door, address);
    const uint64_t outbound = connect(client, address);
    OK(send(outbound, "hello"));
    const uint64_t inbound = door.next().connection;
    OK(gns_accept(inbound, room.handle));
    CHECK_EQUAL(room.next().new_state, connected);
    CHECK_EQUAL(room.next().data, "hello");
    CHECK_EQUAL(gns_accept(inbound, 0), -11);
    CHECK_EQUAL(gns_accept(outbound, 0), -8);
    CHECK(door.all_within(50'000).empty());
}
