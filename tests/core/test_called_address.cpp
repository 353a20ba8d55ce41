// A listen socket at all addresses of the host answers from the one that a client used.
#include "core.hpp"

#ifdef __linux__ // where all of 127/8 is this host

namespace {

gns_address at(const gns_address &address, uint8_t last) {
    gns_address other = address;
    other.ip[15] = last;
    return other;
}

void come_and_go(const gns_address &everywhere, const gns_address &called) {
    Mailbox server, client;
    const uint64_t socket = listen(server, everywhere);
    for (uint8_t last = 1; last <= 40; ++last) {
        const uint64_t far = connect(client, at(called, last));
        const auto is_request = [](const Event &event) {
            return event.old_state == none && event.new_state == connecting;
        };
        const uint64_t near = server.until(is_request).connection;
        OK(gns_accept(near, 0));
        const auto is_connected = [](const Event &event) { return event.new_state == connected; };
        server.until(is_connected);
        client.until(is_connected);
        check_alive(server, near, client, far);
        if (last % 2) close(last % 4 == 1 ? near : far); // the others go with the socket
    }
    OK(gns_listen_close(socket, 1000, "", 0, 0));
}

} // namespace

TEST(called_address, ipv4) {
    const gns_address called = free_address();
    gns_address everywhere = called;
    for (int i = 12; i < 16; ++i) everywhere.ip[i] = 0;
    come_and_go(everywhere, called);
}

TEST(called_address, both_families) {
    const gns_address called = free_address();
    gns_address everywhere = {};
    everywhere.port = called.port;
    come_and_go(everywhere, called);
}

TEST(called_address, with_simulated_lag) {
    const Fault there(k_ESteamNetworkingConfig_FakePacketLag_Send, 5);
    const Fault here(k_ESteamNetworkingConfig_FakePacketLag_Recv, 5);
    const gns_address called = free_address();
    gns_address everywhere = {};
    everywhere.port = called.port;
    come_and_go(everywhere, called);
}

#endif
