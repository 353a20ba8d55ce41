// Many messages to one connection, one message to many.
#include "core.hpp"

TEST(many, send_many_takes_all_in_order) {
    Link link(fast(), fast());
    const std::vector<uint32_t> sizes{3, 0, 5, 1};
    int64_t first = 0;
    int32_t error = -1;
    CHECK_EQUAL(gns_send_many(link.outbound, "onethree4", sizes.data(), 4, GNS_SEND_RELIABLE, 0, &first, &error), 4);
    CHECK_EQUAL(first, 1);
    CHECK_EQUAL(error, 0);
    for (const char *expected : {"one", "", "three", "4"}) CHECK_EQUAL(link.server.message().data, expected);
    CHECK_EQUAL(gns_send_many(link.outbound, "x", sizes.data(), 0, 0, 0, &first, &error), 0);
    CHECK_EQUAL(gns_send_many(link.outbound, "x", sizes.data(), -1, 0, 0, &first, &error), -8);
    CHECK_EQUAL(gns_send_many(link.outbound, "x", sizes.data(), 1, 64, 0, &first, &error), -8);
    CHECK_EQUAL(send(link.outbound, "next"), 5);
}

TEST(many, send_many_takes_what_it_can) {
    Link link(rate(1024).set(k_ESteamNetworkingConfig_SendBufferSize, 4096),
              rate(1024).set(k_ESteamNetworkingConfig_SendBufferSize, 4096));
    int64_t first = 0;
    int32_t error = 0;
    const std::string data(100'000, 'x');
    const std::vector<uint32_t> third_too_large{10, 10, 5000, 10};
    CHECK_EQUAL(
        gns_send_many(link.outbound, data.data(), third_too_large.data(), 4, GNS_SEND_RELIABLE, 0, &first, &error), 2);
    CHECK_EQUAL(first, 1);
    CHECK_EQUAL(error, GNS_ERROR_TOO_LARGE);
    const std::vector<uint32_t> thousands(10, 1000);
    const int32_t taken =
        gns_send_many(link.inbound, data.data(), thousands.data(), 10, GNS_SEND_RELIABLE, 0, &first, &error);
    CHECK(taken >= 3 && taken <= 5);
    CHECK_EQUAL(error, -25);
    for (int32_t i = 0; i < taken; ++i) CHECK_EQUAL(link.client.message().data.size(), size_t{1000});
    CHECK_EQUAL(gns_send_many(link.inbound, data.data(), thousands.data(), 1, 0, 7, &first, &error), 0);
    CHECK_EQUAL(error, -8);
}

TEST(many, broadcast) {
    Link link(fast(), fast());
    std::vector<uint64_t> inbound{link.inbound}, outbound{link.outbound};
    for (int i = 0; i < 9; ++i) {
        const auto [near, far] = link.add();
        inbound.push_back(near);
        outbound.push_back(far);
    }
    OK(send(inbound[3], "first"));
    OK(close(outbound[5]));
    link.client.end_of(outbound[5]);
    link.server.end_of(inbound[5]);
    std::vector<uint64_t> targets = inbound;
    targets.push_back(12345);
    targets.push_back(inbound[0]); // twice
    std::vector<int64_t> results(targets.size());
    const std::string data(2000, 'b');
    const auto count = static_cast<int32_t>(targets.size());
    CHECK_EQUAL(gns_broadcast(targets.data(), count, data.data(), 2000, GNS_SEND_RELIABLE, 0, results.data()), 10);
    const std::vector<int64_t> expected{1, 1, 1, 2, 1, -3, 1, 1, 1, 1, GNS_ERROR_BAD_HANDLE, 2};
    for (size_t i = 0; i < results.size(); ++i) CHECK_EQUAL(results[i], expected[i]);
    size_t arrived = 0;
    while (arrived < 10) arrived += link.client.message().data == data;
    CHECK_EQUAL(gns_broadcast(nullptr, 0, data.data(), 10, 0, 0, nullptr), 0);
    CHECK_EQUAL(gns_broadcast(targets.data(), -1, data.data(), 10, 0, 0, results.data()), -8);
    CHECK_EQUAL(gns_broadcast(targets.data(), 1, data.data(), 10, 32, 0, results.data()), -8);
    CHECK_EQUAL(gns_broadcast(targets.data(), 1, data.data(), GNS_MAX_MESSAGE_SIZE + 1, 0, 0, results.data()),
                GNS_ERROR_TOO_LARGE);
}

TEST(many, broadcast_where_one_is_full) {
    Link link(rate(1024));
    const auto [second, its_client] = link.add();
    const gns_option small{k_ESteamNetworkingConfig_SendBufferSize, GNS_TYPE_INT32, 4096, 0, nullptr};
    OK(gns_config_set(GNS_SCOPE_CONNECTION, link.inbound, &small));
    while (send(link.inbound, std::string(1000, 'x')) > 0) {
    }
    const uint64_t targets[2] = {link.inbound, second};
    int64_t results[2];
    CHECK_EQUAL(gns_broadcast(targets, 2, std::string(1000, 'b').data(), 1000, GNS_SEND_RELIABLE, 0, results), 1);
    CHECK_EQUAL(results[0], -25);
    CHECK_EQUAL(results[1], 1);
    link.client.until(
        [&, far = its_client](const Event &event) { return event.connection == far && event.is_message(); });
}
