// gns_send takes what it can and refuses the rest, and no amount of it ends the process.
#include "core.hpp"

namespace {

constexpr int32_t limit_exceeded = -25;

gns_send_queue queue_of(uint64_t connection) {
    gns_send_queue queue;
    OK(gns_connection_send_queue(connection, &queue));
    return queue;
}

// Sends until a message is refused; returns how many were taken.
int fill(uint64_t connection, const std::string &data, int most) {
    for (int count = 0; count < most; ++count) {
        const int64_t result = send(connection, data);
        if (result == limit_exceeded) return count;
        CHECK_EQUAL(result, count + 1);
    }
    return most;
}

} // namespace

TEST(send_bounds, segments) {
    Link link({}, rate(1024).set(GNS_CONFIG_MAX_UNACKED_SEGMENTS, 64));
    const int taken = fill(link.outbound, "x", 1000);
    CHECK(taken >= 60 && taken < 70);
    const gns_send_queue queue = queue_of(link.outbound);
    CHECK(queue.segments <= queue.max_segments && queue.segments > 55);
    CHECK_EQUAL(queue.max_segments, 64);
    CHECK_EQUAL(queue.max_bytes, 524288);
    for (int i = 0; i < taken; ++i) CHECK_EQUAL(link.server.message().number, i + 1); // nothing was lost
    wait_until([&] { return queue_of(link.outbound).messages == 0; }, "all acked");
    CHECK_EQUAL(queue_of(link.outbound).bytes, 0);
    CHECK_EQUAL(queue_of(link.outbound).segments, 0);
    CHECK_EQUAL(send(link.outbound, "next"), taken + 1);
    CHECK_EQUAL(link.server.message().data, "next");
}

TEST(send_bounds, bytes) {
    Link link({}, rate(20'000).set(k_ESteamNetworkingConfig_SendBufferSize, 10'000));
    const int taken = fill(link.outbound, std::string(1000, 'x'), 1000);
    CHECK(taken >= 9 && taken <= 11);
    CHECK_EQUAL(queue_of(link.outbound).max_bytes, 10'000);
    CHECK_EQUAL(send(link.outbound, std::string(10'001, 'x')), GNS_ERROR_TOO_LARGE);
    for (int i = 0; i < taken; ++i) link.server.message();
    wait_until([&] { return queue_of(link.outbound).messages == 0; }, "all acked");
    OK(send(link.outbound, std::string(10'000, 'x'))); // the largest that fits
    CHECK_EQUAL(link.server.message().data.size(), size_t{10'000});
}

TEST(send_bounds, arguments) {
    Link link;
    CHECK_EQUAL(send(link.outbound, std::string(GNS_MAX_MESSAGE_SIZE + 1, 'x')), GNS_ERROR_TOO_LARGE);
    CHECK_EQUAL(send(link.outbound, "x", 2), -8);
    CHECK_EQUAL(send(link.outbound, "x", 16), -8);
    CHECK_EQUAL(send(link.outbound, "x", -1), -8);
    CHECK_EQUAL(send(link.outbound, "x", 0, 1), -8);
    CHECK_EQUAL(send(link.outbound, "x", 0, 65535), -8);
    CHECK_EQUAL(send(link.outbound, "x", GNS_SEND_NO_DELAY | GNS_SEND_NO_NAGLE), 1);
    Mailbox mailbox;
    const uint64_t unconnected = connect(mailbox, free_address());
    CHECK_EQUAL(send(unconnected, "x", GNS_SEND_NO_DELAY), -41);
    CHECK_EQUAL(send(unconnected, "x"), 1);
}

TEST(send_bounds, follow_the_options_of_living_connections) {
    Link link({}, rate(1024));
    gns_option option{k_ESteamNetworkingConfig_SendBufferSize, GNS_TYPE_INT32, 5000, 0, nullptr};
    OK(gns_config_set(GNS_SCOPE_CONNECTION, link.outbound, &option));
    CHECK_EQUAL(send(link.outbound, std::string(5001, 'x')), GNS_ERROR_TOO_LARGE);
    option.integer = 20'000;
    OK(gns_config_set(GNS_SCOPE_CONNECTION, link.outbound, &option));
    OK(send(link.outbound, std::string(5001, 'x')));
    option = {GNS_CONFIG_MAX_UNACKED_SEGMENTS, GNS_TYPE_INT32, 100, 0, nullptr};
    OK(gns_config_set(GNS_SCOPE_CONNECTION, link.outbound, &option));
    CHECK_EQUAL(queue_of(link.outbound).max_segments, 100);
}

// GNS ends the process at 65,536 unacked segments: a peer that does not ack must not get it that far.
TEST(send_bounds, a_peer_that_does_not_ack) {
    constexpr int attempts = 400'000;
    for (const int32_t segments : {16384 / instrumented, 60000 / instrumented}) {
        const Options options = rate(100 << 20)
                                    .set(GNS_CONFIG_MAX_UNACKED_SEGMENTS, segments)
                                    .set(k_ESteamNetworkingConfig_SendBufferSize, 64 << 20);
        Link link({}, options);
        const Fault cut(k_ESteamNetworkingConfig_FakePacketLoss_Recv, 100);
        int taken = 0;
        for (int i = 0; i < attempts; ++i) {
            const int64_t result = send(link.outbound, std::string(32, 'x'));
            if (result == limit_exceeded) continue;
            if (result == -3) break; // timed out
            CHECK_EQUAL(result, ++taken);
        }
        CHECK(taken <= segments && taken > segments / 2);
        OK(close(link.outbound));
    }
}

TEST(send_bounds, a_peer_that_takes_all) {
    constexpr int count = 400'000 / instrumented;
    const Options options = rate((6 << 20) / instrumented)
                                .set(k_ESteamNetworkingConfig_SendBufferSize, 16 << 20)
                                .set(GNS_CONFIG_MAX_UNACKED_SEGMENTS, 8192 / instrumented)
                                .set(GNS_CONFIG_RECV_QUEUE_MESSAGES, 1 << 20);
    Link link(options, options);
    const std::vector<uint32_t> sizes(1000, 32);
    const std::string data(32'000, 'x');
    int64_t sent = 0, received = 0;
    std::vector<Event> events;
    while (received < count || received < sent) {
        int64_t first = 0;
        int32_t error = 0;
        if (sent < count)
            sent +=
                OK(gns_send_many(link.outbound, data.data(), sizes.data(), 1000, GNS_SEND_RELIABLE, 0, &first, &error));
        events.clear();
        OK(receive(link.server.handle, sent < count && error == 0 ? 0 : 10'000, &events, 4096));
        for (const Event &event : events) CHECK_EQUAL(event.number, ++received);
    }
}
