// Connections from peer to peer: how they begin, go on and end.
#include <cerrno>
#include <cstring>

#include "authority.hpp"
#include "p2p.hpp"

namespace {

const PeerRole bob("answer_once", [](Wire &wire) {
    Postman postman("str:bob", [&](const Post &post) { wire.deliver(post); });
    wire.connect(postman);
    Mailbox mailbox;
    listen_p2p(mailbox, postman, 3);
    wire.say("listening");
    const uint64_t connection = mailbox.until(is_request).connection;
    OK(gns_accept(connection, 0));
    const Event message = mailbox.message();
    CHECK_EQUAL(message.data, "ping");
    OK(send(connection, "pong"));
    wire.await("done");
});

} // namespace

TEST(p2p, connects_and_carries_messages) {
    start_as("str:alice");
    Postman postman;
    Mailbox server, client;
    const uint64_t socket = listen_p2p(server, postman, 7);
    const uint64_t outbound = connect_p2p(client, postman, "str:alice", 7);
    Event event = client.next();
    CHECK(is_request(event));
    CHECK_EQUAL(event.connection, outbound);
    CHECK_EQUAL(event.info.virtual_port, 7);
    CHECK_EQUAL(event.info.route, GNS_ROUTE_UNKNOWN);
    event = server.next();
    CHECK(is_request(event));
    CHECK_EQUAL(event.info.listen_socket, socket);
    CHECK_EQUAL(event.info.virtual_port, 7);
    CHECK_EQUAL(std::string(event.info.identity), "str:alice");
    const uint64_t inbound = event.connection;
    OK(gns_accept(inbound, 0));
    for (Mailbox *const mailbox : {&server, &client}) {
        event = mailbox->next();
        CHECK_EQUAL(event.old_state, connecting);
        CHECK_EQUAL(event.new_state, finding_route);
        CHECK_EQUAL(event.info.route, GNS_ROUTE_UNKNOWN);
        event = mailbox->next();
        CHECK_EQUAL(event.old_state, finding_route);
        CHECK_EQUAL(event.new_state, connected);
        CHECK(event.info.route == GNS_ROUTE_LOCAL || event.info.route == GNS_ROUTE_DIRECT);
        CHECK(event.info.remote_address.port != 0);
    }
    check_alive(server, inbound, client, outbound);
    OK(close(outbound, 1234, "bye"));
    const Event end = server.end_of(inbound);
    CHECK_EQUAL(end.code, 1234);
    CHECK(end.info.route == GNS_ROUTE_LOCAL || end.info.route == GNS_ROUTE_DIRECT);
}

TEST(p2p, connects_two_processes) {
    PeerProcess peer(bob);
    Wire &wire = *peer.wire;
    Postman postman("str:alice", [&](const Post &post) {
        CHECK_EQUAL(post.to, "str:bob");
        wire.deliver(post);
    });
    wire.connect(postman);
    wire.await("listening");
    Mailbox mailbox;
    const uint64_t connection = connect_p2p(mailbox, postman, "str:bob", 3);
    OK(send(connection, "ping")); // it waits for the route
    CHECK_EQUAL(mailbox.message().data, "pong");
    gns_connection_info info;
    OK(gns_connection_info_get(connection, &info));
    CHECK_EQUAL(std::string(info.identity), "str:bob");
    CHECK_EQUAL(info.authenticated, 0);
    wire.say("done");
    peer.join();
}

TEST(p2p, listens_where_no_one_else_does) {
    start_as("str:alice");
    Postman postman;
    Mailbox mailbox;
    uint64_t socket = listen_p2p(mailbox, postman, 0);
    uint64_t other = 0;
    CHECK_EQUAL(gns_p2p_listen(mailbox.handle, postman.signalling, 0, nullptr, 0, nullptr, &other), GNS_ERROR_SYSTEM);
    CHECK_EQUAL(gns_last_error_number(), EADDRINUSE);
    listen_p2p(mailbox, postman, 65535);
    for (const int32_t port : {-1, 65536})
        CHECK_EQUAL(gns_p2p_listen(mailbox.handle, postman.signalling, port, nullptr, 0, nullptr, &other),
                    -k_EResultInvalidParam);
    gns_address address{};
    OK(gns_listen_address(socket, &address));
    CHECK_EQUAL(address.port, 0);
    OK(gns_listen_close(socket, 1000, nullptr, 0, 0));
    socket = listen_p2p(mailbox, postman, 0);
    CHECK_EQUAL(gns_p2p_listen(mailbox.handle, socket, 1, nullptr, 0, nullptr, &other), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(gns_p2p_listen(postman.signalling, postman.signalling, 1, nullptr, 0, nullptr, &other),
                GNS_ERROR_BAD_HANDLE);
}

TEST(p2p, needs_an_identity) {
    Postman postman;
    Mailbox mailbox;
    uint64_t handle = 0;
    CHECK_EQUAL(gns_p2p_listen(mailbox.handle, postman.signalling, 0, nullptr, 0, nullptr, &handle),
                GNS_ERROR_NO_IDENTITY);
    CHECK_EQUAL(gns_p2p_connect(mailbox.handle, postman.signalling, "str:bob", 7, 0, nullptr, 0, nullptr, &handle),
                GNS_ERROR_NO_IDENTITY);
    for (const char *const text : {"nonsense", "ip:127.0.0.1", "invalid"})
        CHECK_EQUAL(gns_p2p_connect(mailbox.handle, postman.signalling, text, static_cast<int32_t>(std::strlen(text)),
                                    0, nullptr, 0, nullptr, &handle),
                    GNS_ERROR_BAD_IDENTITY);
}

TEST(p2p, a_refused_request_hears_why) {
    start_as("str:alice");
    Postman postman;
    Mailbox server, client;
    listen_p2p(server, postman);
    for (int i = 0; i < 3; ++i) { // several at once, too
        const uint64_t first = connect_p2p(client, postman);
        const uint64_t second = connect_p2p(client, postman);
        for (int k = 0; k < 2; ++k) OK(close(server.until(is_request).connection, 1234, "not today"));
        for (int k = 0; k < 2; ++k) {
            const Event end = client.until([](const Event &event) { return event.is_end(); });
            CHECK(end.connection == first || end.connection == second);
            CHECK_EQUAL(end.new_state, closed_by_peer);
            CHECK_EQUAL(end.code, 1234);
            CHECK_EQUAL(std::string(end.info.end_text), "not today");
        }
    }
}

TEST(p2p, the_policy_s_refusal_arrives) {
    start_as("str:alice");
    Postman postman;
    Mailbox server, client;
    gns_peer_policy policy{};
    policy.authenticated = 1;
    listen_p2p(server, postman, 0, {}, &policy);
    connect_p2p(client, postman);
    const Event end = client.until([](const Event &event) { return event.is_end(); });
    CHECK_EQUAL(end.new_state, closed_by_peer);
    CHECK_EQUAL(end.code, 4003);
    CHECK(std::string(end.info.end_text).find("certificate") != std::string::npos);

    policy.authenticated = 0;
    policy.identity = "str:bob";
    policy.identity_size = 7;
    listen_p2p(server, postman, 1);
    const uint64_t outbound = connect_p2p(client, postman, "str:alice", 1, {}, &policy);
    OK(gns_accept(server.until(is_request).connection, 0));
    const Event own = client.end_of(outbound);
    CHECK_EQUAL(own.new_state, problem_locally);
    CHECK_EQUAL(own.code, 4003);
    CHECK_EQUAL(server.until([](const Event &event) { return event.is_end(); }).code, 4003);
}

TEST(p2p, certificates_prove_who_the_peers_are) {
    start_as("str:alice");
    const Key ca('\1'), mine('\2');
    const std::string trusted = root(ca), own = leaf(mine, "str:alice", ca);
    const void *const data = trusted.data();
    const auto size = static_cast<int32_t>(trusted.size());
    OK(gns_trust_set(&data, &size, 1));
    OK(gns_certificate_set(own.data(), static_cast<int32_t>(own.size()), mine.seed.data(), 32));
    gns_peer_policy policy{};
    policy.authenticated = 1;
    policy.identity = "str:alice";
    policy.identity_size = 9;
    Postman postman;
    Mailbox server, client;
    listen_p2p(server, postman, 0, {}, &policy);
    connect_p2p(client, postman, "str:alice", 0, {}, &policy);
    const Event request = server.next();
    CHECK_EQUAL(request.info.authenticated, 1); // known before it is accepted
    OK(gns_accept(request.connection, 0));
    for (Mailbox *const mailbox : {&server, &client}) {
        const Event event = mailbox->until(reaches(connected));
        CHECK_EQUAL(event.info.authenticated, 1);
        CHECK(std::memcmp(event.info.peer_key, mine.public_key.data(), 32) == 0);
    }
}

TEST(p2p, a_close_is_heard_at_once) {
    start_as("str:alice");
    Postman postman;
    for (const bool linger : {false, true}) {
        P2pLink link(postman, linger);
        const int64_t before = gns_time_us();
        if (linger) OK(send(link.inbound, "the last one"));
        OK(close(link.inbound, 1234, "bye", linger));
        if (linger) CHECK_EQUAL(link.client.message().data, "the last one");
        CHECK_EQUAL(link.client.end_of(link.outbound).code, 1234);
        CHECK(gns_time_us() - before < 5'000'000); // by a timeout it would take longer
    }
}

TEST(p2p, nothing_answers) {
    start_as("str:alice");
    Postman postman;
    Mailbox client;
    const uint64_t nobody = connect_p2p(client, postman, "str:alice", 0, ends_after(600));
    const Event end = client.end_of(nobody);
    CHECK_EQUAL(end.new_state, problem_locally);
    CHECK_EQUAL(end.code, 5003);
    CHECK(postman.counters().not_listening >= 1);
    CHECK_EQUAL(postman.counters().received, 0);
}

// ---- closing before there is a route ----

TEST(p2p, a_request_that_is_given_up_ends_at_once) {
    start_as("str:alice");
    Postman postman;
    Mailbox server, client;
    listen_p2p(server, postman);
    const uint64_t outbound = connect_p2p(client, postman);
    const uint64_t inbound = server.until(is_request).connection;
    OK(close(outbound, 1234, "changed my mind"));
    const Event end = server.end_of(inbound);
    CHECK_EQUAL(end.new_state, closed_by_peer);
    CHECK_EQUAL(end.code, 1234);
    CHECK_EQUAL(gns_accept(inbound, 0), -k_EResultNoConnection);
}

TEST(p2p, a_close_while_it_finds_a_route_ends_both_ends_at_once) {
    start_as("str:alice");
    Postman postman;
    // Only relays, of which there are none: no route will be found.
    const Options relayed = Options().set(k_ESteamNetworkingConfig_P2P_Transport_ICE_Enable, 1);
    const gns_option turn{k_ESteamNetworkingConfig_P2P_TURN_ServerList, GNS_TYPE_STRING, 0, 0, "192.0.2.99:9"};
    OK(gns_config_set(GNS_SCOPE_GLOBAL, 0, &turn));
    for (const bool client_closes : {true, false}) {
        Mailbox server, client;
        const int32_t port = client_closes;
        listen_p2p(server, postman, port, relayed);
        const uint64_t outbound = connect_p2p(client, postman, "str:alice", port, relayed);
        const uint64_t inbound = server.until(is_request).connection;
        OK(gns_accept(inbound, 0));
        server.until(reaches(finding_route));
        client.until(reaches(finding_route));
        OK(send(client_closes ? outbound : inbound, "queued, and never sent"));
        OK(close(client_closes ? outbound : inbound, 1234, "too slow", true)); // nothing lingers
        CHECK_EQUAL(gns_lingering(), 0);
        const Event end = client_closes ? server.end_of(inbound) : client.end_of(outbound);
        CHECK_EQUAL(end.old_state, finding_route);
        CHECK_EQUAL(end.new_state, closed_by_peer);
        CHECK_EQUAL(end.code, 1234);
        CHECK_EQUAL(std::string(end.info.end_text), "too slow");
    }
}

TEST(p2p, without_a_route_both_ends_fail) {
    start_as("str:alice");
    Postman postman;
    Mailbox server, client;
    const gns_option turn{k_ESteamNetworkingConfig_P2P_TURN_ServerList, GNS_TYPE_STRING, 0, 0, "192.0.2.99:9"};
    OK(gns_config_set(GNS_SCOPE_GLOBAL, 0, &turn));
    const Options relayed = ends_after(1000).set(k_ESteamNetworkingConfig_P2P_Transport_ICE_Enable, 1);
    listen_p2p(server, postman, 0, relayed);
    const uint64_t outbound = connect_p2p(client, postman, "str:alice", 0, relayed);
    const uint64_t inbound = server.until(is_request).connection;
    OK(gns_accept(inbound, 0));
    CHECK_EQUAL(server.end_of(inbound).code, 5008);
    CHECK_EQUAL(client.end_of(outbound).code, 5008);
}

TEST(p2p, ice_can_be_off) {
    start_as("str:alice");
    Postman postman;
    Mailbox client;
    uint64_t handle = 0;
    const Options off = Options().set(k_ESteamNetworkingConfig_P2P_Transport_ICE_Enable, 0);
    expect_log("Cannot create P2P connection");
    CHECK_EQUAL(
        gns_p2p_connect(client.handle, postman.signalling, "str:alice", 9, 0, off.data(), off.size(), nullptr, &handle),
        GNS_ERROR_NATIVE);
    CHECK(std::string(gns_last_error_text()).find("ICE not enabled") != std::string::npos);
}
