// Outgoing lanes.
#include "core.hpp"

TEST(lanes, each_has_its_own_numbers) {
    Link link(fast(), fast());
    OK(gns_configure_lanes(link.outbound, 3, nullptr, nullptr));
    for (int64_t number = 1; number <= 3; ++number)
        for (uint16_t lane = 0; lane < 3; ++lane)
            CHECK_EQUAL(send(link.outbound, std::to_string(number), GNS_SEND_RELIABLE, lane), number);
    int64_t last[3] = {0, 0, 0};
    for (int i = 0; i < 9; ++i) {
        const Event event = link.server.message();
        CHECK(event.lane < 3);
        CHECK_EQUAL(event.number, ++last[event.lane]);
        CHECK_EQUAL(event.data, std::to_string(event.number));
    }
}

TEST(lanes, the_urgent_one_overtakes) {
    Link link({}, rate(100'000));
    const int32_t priorities[2] = {1, 0};
    const uint16_t weights[2] = {1, 1};
    OK(gns_configure_lanes(link.outbound, 2, priorities, weights));
    for (int i = 0; i < 50; ++i) OK(send(link.outbound, std::string(1000, 'x'), GNS_SEND_RELIABLE, 0));
    OK(send(link.outbound, "urgent", GNS_SEND_RELIABLE, 1));
    gns_connection_status status;
    gns_lane_status lanes[2];
    OK(gns_connection_status_get(link.outbound, &status, 2, lanes));
    CHECK(lanes[0].pending_reliable + lanes[0].sent_unacked_reliable >= 0);
    int before = 0;
    while (link.server.message().lane == 0) ++before;
    CHECK(before < 40);
    wait_until(
        [&] { // the pump has handed them over by now
            OK(gns_connection_status_get(link.outbound, &status, 2, lanes));
            return lanes[0].pending_reliable > 0;
        },
        "the background lane waits");
    CHECK_EQUAL(lanes[1].pending_reliable, 0);
    CHECK(lanes[0].queue_time_us > 0);
}

TEST(lanes, as_many_as_there_are) {
    Link link({}, fast());
    OK(gns_configure_lanes(link.outbound, GNS_MAX_LANES, nullptr, nullptr));
    for (const int32_t flags : {GNS_SEND_RELIABLE, 0}) {
        for (uint16_t lane = 0; lane < GNS_MAX_LANES; ++lane)
            OK(send(link.outbound, std::to_string(lane), flags, lane));
        int64_t seen = 0;
        for (int i = 0; i < GNS_MAX_LANES; ++i) {
            const Event event = link.server.message();
            CHECK_EQUAL(event.data, std::to_string(event.lane));
            seen += event.lane;
        }
        CHECK_EQUAL(seen, int64_t{GNS_MAX_LANES} * (GNS_MAX_LANES - 1) / 2);
    }
}

TEST(lanes, the_largest_messages_on_many_while_packets_are_lost_and_late) {
    constexpr uint16_t lanes = 16;
    constexpr int each = instrumented > 1 ? 1 : 3;
    const Options options = rate(30'000'000)
                                .set(k_ESteamNetworkingConfig_SendBufferSize, 64 << 20)
                                .set(GNS_CONFIG_MAX_UNACKED_SEGMENTS, 60000)
                                .set(GNS_CONFIG_RECV_QUEUE_BYTES, 64 << 20);
    Link link(options, options);
    OK(gns_configure_lanes(link.outbound, lanes, nullptr, nullptr));
    const Fault loss(k_ESteamNetworkingConfig_FakePacketLoss_Send, 2);
    const Fault reorder(k_ESteamNetworkingConfig_FakePacketReorder_Send, 5);
    const Fault twice(k_ESteamNetworkingConfig_FakePacketDup_Send, 2);
    const auto content = [](uint16_t lane, int64_t number) {
        std::string text(GNS_MAX_MESSAGE_SIZE, 0);
        for (size_t i = 0; i < text.size(); ++i)
            text[i] = static_cast<char>((i * 7 + lane * 31u + static_cast<size_t>(number)) >> 3);
        return text;
    };
    for (int64_t number = 1; number <= each; ++number)
        for (uint16_t lane = 0; lane < lanes; ++lane)
            OK(send(link.outbound, content(lane, number), GNS_SEND_RELIABLE, lane));
    int64_t last[lanes] = {};
    for (int i = 0; i < lanes * each; ++i) {
        const Event event = link.server.message();
        CHECK(event.lane < lanes);
        CHECK_EQUAL(event.number, ++last[event.lane]);
        CHECK(event.data == content(event.lane, event.number));
    }
}

TEST(lanes, arguments) {
    Link link;
    const uint16_t no_weight[2] = {0, 1};
    CHECK_EQUAL(gns_configure_lanes(link.outbound, 0, nullptr, nullptr), -8);
    CHECK_EQUAL(gns_configure_lanes(link.outbound, GNS_MAX_LANES + 1, nullptr, nullptr), -8);
    CHECK_EQUAL(gns_configure_lanes(link.outbound, -1, nullptr, nullptr), -8);
    CHECK_EQUAL(gns_configure_lanes(link.outbound, 2, nullptr, no_weight), -8);
    OK(gns_configure_lanes(link.outbound, 4, nullptr, nullptr));
    CHECK_EQUAL(gns_configure_lanes(link.outbound, 3, nullptr, nullptr), -8);
    gns_connection_status status;
    std::vector<gns_lane_status> lanes(8);
    OK(gns_connection_status_get(link.outbound, &status, 4, lanes.data()));
    CHECK_EQUAL(gns_connection_status_get(link.outbound, &status, 5, lanes.data()), -8);
    CHECK_EQUAL(gns_connection_status_get(link.outbound, &status, -1, lanes.data()), -8);
    CHECK_EQUAL(send(link.outbound, "x", GNS_SEND_RELIABLE, 4), -8);
    CHECK_EQUAL(send(link.outbound, "x", GNS_SEND_RELIABLE, 3), 1);
    OK(gns_configure_lanes(link.outbound, GNS_MAX_LANES, nullptr, nullptr));
    CHECK_EQUAL(send(link.outbound, "x", GNS_SEND_RELIABLE, GNS_MAX_LANES - 1), 1);
    OK(close(link.inbound));
    link.client.end_of(link.outbound);
    CHECK_EQUAL(gns_configure_lanes(link.outbound, GNS_MAX_LANES, nullptr, nullptr), -3);
    OK(gns_connection_status_get(link.outbound, &status, 4, lanes.data()));
}

TEST(lanes, configured_again) {
    Link link(fast(), fast());
    const std::vector<std::vector<int32_t>> steps = {{1, 0}, {0, 0}, {2, 1, 0}, {0, 0, 0}, {0, 1, 2}, {3, 2, 1, 0}};
    for (const std::vector<int32_t> &priorities : steps) {
        const auto count = static_cast<int32_t>(priorities.size());
        OK(gns_configure_lanes(link.outbound, count, priorities.data(), nullptr));
        for (int32_t lane = 0; lane < count; ++lane)
            OK(send(link.outbound, "x", GNS_SEND_RELIABLE, static_cast<uint16_t>(lane)));
        for (int32_t lane = 0; lane < count; ++lane) CHECK_EQUAL(link.server.message().data, "x");
    }
}
