// Everything that a connection reports about itself.
#include <cstring>
#include <thread>

#include "core.hpp"

namespace {

gns_connection_info info_of(uint64_t connection) {
    gns_connection_info info;
    OK(gns_connection_info_get(connection, &info));
    return info;
}

} // namespace

TEST(about, info) {
    OK(gns_stop(0));
    OK(gns_start("str:alice", 9));
    Link link;
    for (const uint64_t end : {link.inbound, link.outbound}) {
        const gns_connection_info info = info_of(end);
        CHECK_EQUAL(info.state, connected);
        CHECK_EQUAL(gns_connection_state(end), connected);
        CHECK_EQUAL(info.end_reason, 0);
        CHECK_EQUAL(std::string(info.identity), "str:alice");
        CHECK_EQUAL(std::string(info.end_text), "");
        CHECK(std::strlen(info.description) > 0);
        CHECK_EQUAL(info.user_data, -1);
        CHECK(std::memcmp(info.remote_address.ip, link.address.ip, 16) == 0);
    }
    CHECK_EQUAL(info_of(link.inbound).listen_socket, link.socket);
    CHECK_EQUAL(info_of(link.outbound).listen_socket, uint64_t{0});
    CHECK_EQUAL(info_of(link.outbound).remote_address.port, link.address.port);
    CHECK(info_of(link.inbound).remote_address.port != link.address.port);
}

TEST(about, status) {
    Link link({}, rate(100'000));
    gns_connection_status status;
    for (int i = 0; i < 100; ++i) OK(send(link.outbound, std::string(1000, 'x')));
    wait_until(
        [&] {
            OK(gns_connection_status_get(link.outbound, &status, 0, nullptr));
            return status.pending_reliable > 0 && status.ping_ms >= 0 && status.queue_time_us > 0;
        },
        "something waits");
    CHECK_EQUAL(status.state, connected);
    CHECK_EQUAL(status.send_rate, 100'000);
    CHECK(status.queue_time_us < 2'000'000);
    for (int i = 0; i < 100; ++i) link.server.message();
    OK(gns_connection_status_get(link.outbound, &status, 0, nullptr));
    CHECK_EQUAL(status.pending_reliable, 0);
}

TEST(about, details) {
    Link link;
    std::vector<char> text(16'384);
    const int32_t size = OK(gns_connection_details(link.outbound, text.data(), static_cast<int32_t>(text.size())));
    CHECK_EQUAL(static_cast<size_t>(size), std::strlen(text.data()));
    CHECK(std::strstr(text.data(), "End-to-end connection: connected") != nullptr);
    CHECK_EQUAL(gns_connection_details(link.outbound, text.data(), 10), GNS_ERROR_BUFFER_TOO_SMALL);
    CHECK_EQUAL(gns_connection_details(link.outbound, text.data(), 0), GNS_ERROR_BUFFER_TOO_SMALL);
}

TEST(about, name_and_user_data) {
    Link link;
    char name[128];
    const std::string longest(GNS_MAX_NAME, 'n');
    OK(gns_connection_set_name(link.outbound, longest.data(), GNS_MAX_NAME));
    OK(gns_connection_get_name(link.outbound, name, sizeof name));
    CHECK(std::string(name).find(longest) != std::string::npos);
    CHECK(std::string(info_of(link.outbound).description).find(longest) != std::string::npos);
    CHECK_EQUAL(gns_connection_set_name(link.outbound, std::string(32, 'n').data(), 32), GNS_ERROR_BAD_TEXT);
    CHECK_EQUAL(gns_connection_set_name(link.outbound, "a\0b", 3), GNS_ERROR_BAD_TEXT);
    OK(gns_connection_set_name(link.outbound, nullptr, 0));
    for (const int64_t data : {int64_t{0}, int64_t{-7}, INT64_MAX, INT64_MIN}) {
        OK(gns_connection_set_user_data(link.outbound, data));
        CHECK_EQUAL(info_of(link.outbound).user_data, data);
    }
}

TEST(about, after_the_end) {
    Link link;
    gns_connection_status status;
    gns_send_queue queue;
    std::vector<char> text(16'384);
    OK(gns_connection_set_user_data(link.outbound, 42));
    OK(close(link.inbound, 1717, "over"));
    link.client.end_of(link.outbound);
    const gns_connection_info info = info_of(link.outbound);
    CHECK_EQUAL(info.state, closed_by_peer);
    CHECK_EQUAL(info.end_reason, 1717);
    CHECK_EQUAL(std::string(info.end_text), "over");
    CHECK_EQUAL(info.user_data, 42);
    OK(gns_connection_status_get(link.outbound, &status, 0, nullptr));
    CHECK_EQUAL(status.state, closed_by_peer);
    OK(gns_connection_send_queue(link.outbound, &queue));
    CHECK_EQUAL(gns_connection_details(link.outbound, text.data(), 16'384), -3);
    CHECK_EQUAL(gns_connection_set_name(link.outbound, "x", 1), -3);
    CHECK_EQUAL(gns_connection_get_name(link.outbound, text.data(), 100), -3);
    CHECK_EQUAL(gns_connection_set_user_data(link.outbound, 1), -3);
    CHECK_EQUAL(gns_flush(link.outbound), -3);
}

TEST(about, the_library) {
    int32_t count = 0;
    const gns_layout_entry *const layout = gns_layout(&count);
    CHECK(count > 50);
    bool found = false;
    for (int32_t i = 0; i < count; ++i)
        if (std::strcmp(layout[i].struct_name, "gns_event") == 0 && layout[i].field[0] == 0)
            found = layout[i].size == sizeof(gns_event);
    CHECK(found);
    CHECK_EQUAL(std::string(gns_build()->gns_version), "1.6.0");
    const int64_t begin = gns_time_us();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(gns_time_us() - begin >= 20'000);
}
