// Options at every scope.
#include "core.hpp"

namespace {

constexpr int32_t nagle_time = k_ESteamNetworkingConfig_NagleTime;

int32_t set(int32_t scope, uint64_t object, int32_t value, int64_t integer, int32_t type = GNS_TYPE_INT32) {
    const gns_option option{value, type, integer, static_cast<double>(integer), nullptr};
    return gns_config_set(scope, object, &option);
}

struct Got {
    int32_t result;
    gns_option option;
    std::string text;
};

Got get(int32_t scope, uint64_t object, int32_t value, int32_t capacity = 1024) {
    Got got{};
    char text[1024] = "";
    got.result = gns_config_get(scope, object, value, &got.option, text, capacity);
    got.text = text;
    return got;
}

int64_t integer(int32_t scope, uint64_t object, int32_t value) {
    const Got got = get(scope, object, value);
    OK(got.result);
    return got.option.integer;
}

} // namespace

TEST(config, inner_scopes_inherit_until_they_are_set) {
    Link link;
    CHECK_EQUAL(integer(GNS_SCOPE_GLOBAL, 0, nagle_time), 5000);
    for (const auto &[scope, object] :
         {std::pair{GNS_SCOPE_LISTEN_SOCKET, link.socket}, std::pair{GNS_SCOPE_CONNECTION, link.inbound},
          std::pair{GNS_SCOPE_CONNECTION, link.outbound}}) {
        CHECK_EQUAL(get(scope, object, nagle_time).result, 1);
        CHECK_EQUAL(integer(scope, object, nagle_time), 5000);
    }
    OK(set(GNS_SCOPE_GLOBAL, 0, nagle_time, 4000));
    CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.outbound, nagle_time), 4000);
    OK(set(GNS_SCOPE_LISTEN_SOCKET, link.socket, nagle_time, 3000));
    CHECK_EQUAL(get(GNS_SCOPE_LISTEN_SOCKET, link.socket, nagle_time).result, 0);
    CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.inbound, nagle_time), 3000);
    CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.outbound, nagle_time), 4000);
    OK(set(GNS_SCOPE_CONNECTION, link.inbound, nagle_time, 2000));
    CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.inbound, nagle_time), 2000);
    OK(gns_config_reset(GNS_SCOPE_CONNECTION, link.inbound, nagle_time));
    CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.inbound, nagle_time), 3000);
    OK(gns_config_reset(GNS_SCOPE_LISTEN_SOCKET, link.socket, nagle_time));
    CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.inbound, nagle_time), 4000);
    OK(gns_config_reset(GNS_SCOPE_GLOBAL, 0, nagle_time));
    CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.inbound, nagle_time), 5000);
}

TEST(config, options_at_creation) {
    const Options options = Options().set(nagle_time, 1234).set(GNS_CONFIG_RECV_QUEUE_MESSAGES, 77);
    Link link(options, options);
    for (const auto &[scope, object] :
         {std::pair{GNS_SCOPE_LISTEN_SOCKET, link.socket}, std::pair{GNS_SCOPE_CONNECTION, link.inbound},
          std::pair{GNS_SCOPE_CONNECTION, link.outbound}}) {
        CHECK_EQUAL(integer(scope, object, nagle_time), 1234);
        CHECK_EQUAL(integer(scope, object, GNS_CONFIG_RECV_QUEUE_MESSAGES), 77);
    }
    uint64_t handle = 0;
    const auto refused = [&](gns_option option) {
        const int32_t result = gns_connect(link.client.handle, &link.address, &option, 1, nullptr, &handle);
        CHECK_EQUAL(gns_listen(link.client.handle, &link.address, &option, 1, nullptr, nullptr, &handle), result);
        return result;
    };
    CHECK_EQUAL(refused({98765, GNS_TYPE_INT32, 1, 0, nullptr}), GNS_ERROR_UNKNOWN_OPTION);
    CHECK_EQUAL(refused({nagle_time, GNS_TYPE_FLOAT, 1, 1, nullptr}), GNS_ERROR_WRONG_TYPE);
    CHECK_EQUAL(refused({k_ESteamNetworkingConfig_FakePacketLoss_Send, GNS_TYPE_FLOAT, 1, 1, nullptr}),
                GNS_ERROR_WRONG_SCOPE);
    CHECK_EQUAL(refused({k_ESteamNetworkingConfig_RecvBufferSize, GNS_TYPE_INT32, 1, 0, nullptr}), GNS_ERROR_RESERVED);
    CHECK_EQUAL(refused({GNS_CONFIG_RECV_QUEUE_BYTES, GNS_TYPE_INT32, 1, 0, nullptr}), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(refused({nagle_time, GNS_TYPE_INT32, int64_t{1} << 40, 0, nullptr}), GNS_ERROR_BAD_VALUE);
}

TEST(config, of_every_type) {
    OK(set(GNS_SCOPE_GLOBAL, 0, k_ESteamNetworkingConfig_FakePacketLoss_Send, 2, GNS_TYPE_FLOAT));
    Got got = get(GNS_SCOPE_GLOBAL, 0, k_ESteamNetworkingConfig_FakePacketLoss_Send);
    CHECK_EQUAL(got.option.type, GNS_TYPE_FLOAT);
    CHECK_EQUAL(got.option.real, 2.0);
    OK(gns_config_reset(GNS_SCOPE_GLOBAL, 0, k_ESteamNetworkingConfig_FakePacketLoss_Send));

    const std::string servers = "127.0.0.1:3478,127.0.0.1:3479";
    const gns_option stun{k_ESteamNetworkingConfig_P2P_STUN_ServerList, GNS_TYPE_STRING, 0, 0, servers.c_str()};
    OK(gns_config_set(GNS_SCOPE_GLOBAL, 0, &stun));
    got = get(GNS_SCOPE_GLOBAL, 0, stun.value);
    CHECK_EQUAL(got.option.type, GNS_TYPE_STRING);
    CHECK_EQUAL(got.text, servers);
    CHECK_EQUAL(get(GNS_SCOPE_GLOBAL, 0, stun.value, static_cast<int32_t>(servers.size())).result,
                GNS_ERROR_BUFFER_TOO_SMALL);
    CHECK_EQUAL(get(GNS_SCOPE_GLOBAL, 0, stun.value, static_cast<int32_t>(servers.size()) + 1).text, servers);
    OK(gns_config_reset(GNS_SCOPE_GLOBAL, 0, stun.value));
    CHECK_EQUAL(get(GNS_SCOPE_GLOBAL, 0, stun.value).text, "");
    const gns_option null{k_ESteamNetworkingConfig_P2P_STUN_ServerList, GNS_TYPE_STRING, 0, 0, nullptr};
    CHECK_EQUAL(gns_config_set(GNS_SCOPE_GLOBAL, 0, &null), GNS_ERROR_WRONG_TYPE);
}

TEST(config, every_option_can_be_read_and_set_to_what_it_is) {
    int options = 0;
    for (int32_t value = 0; value < 1100; ++value) {
        int32_t type = 0, scope = 0;
        const char *const name = gns_config_info(value, &type, &scope);
        Got got = get(GNS_SCOPE_GLOBAL, 0, value);
        if (!name || got.result == GNS_ERROR_UNKNOWN_OPTION) continue;
        ++options;
        if (got.result < 0) FAIL(std::string(name) + ": " + gns_last_error_text());
        CHECK_EQUAL(got.option.type, type);
        got.option.string = got.text.c_str();
        const bool reserved = value == k_ESteamNetworkingConfig_RecvBufferSize ||
                              value == k_ESteamNetworkingConfig_RecvBufferMessages ||
                              value == k_ESteamNetworkingConfig_ConnectionUserData;
        const int32_t expected = reserved ? GNS_ERROR_RESERVED : 0;
        CHECK_EQUAL(gns_config_set(GNS_SCOPE_GLOBAL, 0, &got.option), expected);
        CHECK_EQUAL(gns_config_reset(GNS_SCOPE_GLOBAL, 0, value), expected);
    }
    CHECK(options > 50);
}

TEST(config, the_cores_own) {
    Link link(Options().set(GNS_CONFIG_RECV_QUEUE_MESSAGES, 50));
    struct {
        int32_t value;
        const char *name;
        int64_t standard;
    } const own[] = {{GNS_CONFIG_RECV_QUEUE_BYTES, "RecvQueueBytes", 8 << 20},
                     {GNS_CONFIG_RECV_QUEUE_MESSAGES, "RecvQueueMessages", 65536},
                     {GNS_CONFIG_MAX_UNACKED_SEGMENTS, "MaxUnackedSegments", 16384}};
    for (const auto &option : own) {
        int32_t type = 0, scope = 0;
        CHECK_EQUAL(std::string(gns_config_info(option.value, &type, &scope)), option.name);
        CHECK_EQUAL(type, GNS_TYPE_INT32);
        CHECK_EQUAL(scope, GNS_SCOPE_CONNECTION);
        CHECK_EQUAL(integer(GNS_SCOPE_GLOBAL, 0, option.value), option.standard);
        OK(set(GNS_SCOPE_GLOBAL, 0, option.value, 5000));
        const auto [inbound, outbound] = link.add();
        CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, outbound, option.value), 5000);
        CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.outbound, option.value),
                    option.standard); // inherited at creation
        OK(gns_config_reset(GNS_SCOPE_GLOBAL, 0, option.value));
        OK(gns_config_reset(GNS_SCOPE_CONNECTION, outbound, option.value));
        CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, outbound, option.value), option.standard);
        CHECK_EQUAL(set(GNS_SCOPE_GLOBAL, 0, option.value, 1), GNS_ERROR_BAD_VALUE);
        CHECK_EQUAL(set(GNS_SCOPE_GLOBAL, 0, option.value, int64_t{1} << 31), GNS_ERROR_BAD_VALUE);
        CHECK_EQUAL(set(GNS_SCOPE_GLOBAL, 0, option.value, 5000, GNS_TYPE_INT64), GNS_ERROR_WRONG_TYPE);
    }
    // Back to what the outer scope says, which for an inbound connection is its listen socket.
    OK(set(GNS_SCOPE_CONNECTION, link.inbound, GNS_CONFIG_RECV_QUEUE_MESSAGES, 60));
    OK(gns_config_reset(GNS_SCOPE_CONNECTION, link.inbound, GNS_CONFIG_RECV_QUEUE_MESSAGES));
    CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.inbound, GNS_CONFIG_RECV_QUEUE_MESSAGES), 50);
    OK(gns_config_reset(GNS_SCOPE_LISTEN_SOCKET, link.socket, GNS_CONFIG_RECV_QUEUE_MESSAGES));
    CHECK_EQUAL(integer(GNS_SCOPE_LISTEN_SOCKET, link.socket, GNS_CONFIG_RECV_QUEUE_MESSAGES), 65536);
}

TEST(config, errors) {
    Link link;
    const int32_t loss = k_ESteamNetworkingConfig_FakePacketLoss_Send;
    CHECK_EQUAL(set(GNS_SCOPE_GLOBAL, 0, 98765, 1), GNS_ERROR_UNKNOWN_OPTION);
    CHECK_EQUAL(get(GNS_SCOPE_GLOBAL, 0, 98765).result, GNS_ERROR_UNKNOWN_OPTION);
    CHECK_EQUAL(gns_config_reset(GNS_SCOPE_GLOBAL, 0, 98765), GNS_ERROR_UNKNOWN_OPTION);
    CHECK_EQUAL(set(GNS_SCOPE_GLOBAL, 0, k_ESteamNetworkingConfig_Callback_ConnectionStatusChanged, 0),
                GNS_ERROR_UNKNOWN_OPTION);
    CHECK_EQUAL(set(GNS_SCOPE_CONNECTION, link.outbound, loss, 1, GNS_TYPE_FLOAT), GNS_ERROR_WRONG_SCOPE);
    CHECK_EQUAL(get(GNS_SCOPE_CONNECTION, link.outbound, loss).result, GNS_ERROR_WRONG_SCOPE);
    CHECK_EQUAL(gns_config_reset(GNS_SCOPE_LISTEN_SOCKET, link.socket, loss), GNS_ERROR_WRONG_SCOPE);
    CHECK_EQUAL(set(2, 0, nagle_time, 1), GNS_ERROR_WRONG_SCOPE);
    CHECK_EQUAL(set(99, 0, nagle_time, 1), GNS_ERROR_WRONG_SCOPE);
    CHECK_EQUAL(set(GNS_SCOPE_GLOBAL, 0, nagle_time, 1, GNS_TYPE_INT64), GNS_ERROR_WRONG_TYPE);
    CHECK_EQUAL(set(GNS_SCOPE_GLOBAL, link.outbound, nagle_time, 1), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(set(GNS_SCOPE_GLOBAL, 0, nagle_time, int64_t{1} << 33), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(set(GNS_SCOPE_CONNECTION, link.outbound, k_ESteamNetworkingConfig_Unencrypted, 3), GNS_ERROR_LOCKED);
    CHECK_EQUAL(set(GNS_SCOPE_GLOBAL, 0, k_ESteamNetworkingConfig_RecvBufferMessages, 100), GNS_ERROR_RESERVED);
    CHECK_EQUAL(
        set(GNS_SCOPE_CONNECTION, link.outbound, k_ESteamNetworkingConfig_ConnectionUserData, 1, GNS_TYPE_INT64),
        GNS_ERROR_RESERVED);
    CHECK_EQUAL(integer(GNS_SCOPE_CONNECTION, link.outbound, k_ESteamNetworkingConfig_MTU_DataSize), 1200);
    OK(close(link.outbound));
    link.server.end_of(link.inbound);
    CHECK_EQUAL(set(GNS_SCOPE_CONNECTION, link.inbound, nagle_time, 1), -3);
    int32_t type = 0, scope = 0;
    CHECK(gns_config_info(98765, &type, &scope) == nullptr);
}
