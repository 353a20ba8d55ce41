// Handles: a stale, foreign or invented one is never taken for another.
#include <set>

#include "core.hpp"

namespace {

void check_no_connection(uint64_t handle) {
    gns_connection_info info;
    gns_connection_status status;
    gns_send_queue queue;
    gns_option option{k_ESteamNetworkingConfig_NagleTime, GNS_TYPE_INT32, 1000, 0, nullptr};
    char text[4096];
    int64_t number = 0;
    int32_t error = 0;
    const uint32_t size = 1;
    CHECK_EQUAL(gns_accept(handle, 0), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(close(handle), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(send(handle, "x"), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_send_many(handle, "x", &size, 1, 0, 0, &number, &error), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_broadcast(&handle, 1, "x", 1, 0, 0, &number), 0);
    CHECK_EQUAL(number, GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_flush(handle), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_configure_lanes(handle, 1, nullptr, nullptr), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_send_queue(handle, &queue), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_notify_drained(handle, 0, 0), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_wait_drained(handle, -1, 0, 0), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_state(handle), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_wait_ended(handle, -1), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_info_get(handle, &info), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_status_get(handle, &status, 0, nullptr), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_details(handle, text, sizeof text), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_set_name(handle, "x", 1), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_get_name(handle, text, sizeof text), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connection_set_user_data(handle, 1), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_config_set(GNS_SCOPE_CONNECTION, handle, &option), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_config_get(GNS_SCOPE_CONNECTION, handle, option.value, &option, text, sizeof text),
                GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_config_reset(GNS_SCOPE_CONNECTION, handle, k_ESteamNetworkingConfig_NagleTime),
                GNS_ERROR_BAD_HANDLE);
}

void check_no_listen_socket(uint64_t handle) {
    gns_address address;
    gns_option option{k_ESteamNetworkingConfig_NagleTime, GNS_TYPE_INT32, 1000, 0, nullptr};
    CHECK_EQUAL(gns_listen_address(handle, &address), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_listen_close(handle, 1000, nullptr, 0, 0), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_config_set(GNS_SCOPE_LISTEN_SOCKET, handle, &option), GNS_ERROR_BAD_HANDLE);
}

void check_no_mailbox(uint64_t handle) {
    uint64_t out = 0, other = 0;
    const gns_address address = free_address();
    std::vector<Event> events;
    CHECK_EQUAL(receive(handle, 0, &events), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_mailbox_fd(handle), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_mailbox_wake(handle), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_mailbox_destroy(handle), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_listen(handle, &address, nullptr, 0, nullptr, nullptr, &out), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_connect(handle, &address, nullptr, 0, nullptr, &out), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_socket_pair(handle, handle, 0, nullptr, 0, nullptr, 0, &out, &other), GNS_ERROR_BAD_HANDLE);
}

} // namespace

TEST(handles, kinds_are_not_mixed_up) {
    Link link;
    for (const uint64_t handle :
         {uint64_t{0}, ~uint64_t{0}, link.socket, link.server.handle, link.outbound ^ uint64_t{1} << 30})
        check_no_connection(handle);
    for (const uint64_t handle : {uint64_t{0}, ~uint64_t{0}, link.outbound, link.server.handle})
        check_no_listen_socket(handle);
    for (const uint64_t handle : {uint64_t{0}, ~uint64_t{0}, link.outbound, link.socket}) check_no_mailbox(handle);
    CHECK_EQUAL(gns_accept(link.outbound, 12345), GNS_ERROR_BAD_HANDLE);
    check_alive(link.server, link.inbound, link.client, link.outbound);
}

TEST(handles, closed_ones_stay_dead_when_their_place_is_taken) {
    Mailbox mailbox;
    std::set<uint64_t> used;
    uint64_t first = 0;
    for (int i = 0; i < 200; ++i) {
        uint64_t a = 0, b = 0;
        OK(gns_socket_pair(mailbox.handle, mailbox.handle, 0, nullptr, 0, nullptr, 0, &a, &b));
        CHECK(used.insert(a).second && used.insert(b).second);
        if (first == 0) first = a;
        if (i % 50 == 49) check_no_connection(first);
        OK(close(a));
        OK(close(b));
    }
    check_no_connection(first);
}

TEST(handles, of_listen_sockets_and_mailboxes_too) {
    Mailbox mailbox;
    std::set<uint64_t> used;
    const gns_address address = free_address();
    for (int i = 0; i < 20; ++i) {
        const uint64_t socket = listen(mailbox, address);
        CHECK(used.insert(socket).second);
        OK(gns_listen_close(socket, 1000, nullptr, 0, 0));
        check_no_listen_socket(socket);
    }
    for (int i = 0; i < 1000; ++i) {
        uint64_t handle = 0;
        OK(gns_mailbox_create(&handle));
        CHECK(used.insert(handle).second);
        OK(gns_mailbox_destroy(handle));
    }
    check_no_mailbox(*used.rbegin());
    check_no_mailbox(*used.begin());
}
