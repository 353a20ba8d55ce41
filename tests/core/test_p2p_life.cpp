// Connections from peer to peer: what ends around them, signals that are lost, many at once.
#include <algorithm>
#include <dirent.h>
#include <map>
#include <random>
#include <sys/wait.h>
#include <unistd.h>

#include "p2p.hpp"
#include "runtime.hpp"

namespace {

int open_descriptors() {
    int count = 0;
    DIR *const directory = ::opendir("/proc/self/fd");
    while (::readdir(directory)) ++count;
    ::closedir(directory);
    return count;
}

const Options no_route = Options().set(k_ESteamNetworkingConfig_P2P_Transport_ICE_Enable, 1);

// With no_route, only relays may be used, and at this address there is nothing.
void set_dead_relay() {
    const gns_option turn{k_ESteamNetworkingConfig_P2P_TURN_ServerList, GNS_TYPE_STRING, 0, 0, "192.0.2.99:9"};
    OK(gns_config_set(GNS_SCOPE_GLOBAL, 0, &turn));
}

const PeerRole bob("stop_while_a_route_is_found", [](Wire &wire) {
    set_dead_relay();
    Postman postman("str:bob", [&](const Post &post) { wire.deliver(post); });
    wire.connect(postman);
    Mailbox mailbox;
    listen_p2p(mailbox, postman, 0, no_route);
    wire.say("listening");
    OK(gns_accept(mailbox.until(is_request).connection, 0));
    mailbox.until(reaches(finding_route));
    wire.await("stop");
    OK(gns_stop(0)); // what it says is still read
    postman.join();
});

} // namespace

TEST(p2p_life, a_stop_ends_connections_in_all_states) {
    for (int round = 0; round < 3; ++round) {
        start_as("str:alice");
        set_dead_relay();
        Postman postman, mute("str:alice", [](const Post &) {});
        P2pLink link(postman);
        Mailbox mailbox;
        connect_p2p(mailbox, mute, "str:bob"); // no one answers
        listen_p2p(mailbox, postman, 1, no_route);
        connect_p2p(mailbox, postman, "str:alice", 1, no_route);
        int waiting = 0, finding = 0;
        const auto both = [&](const Event &event) {
            finding += event.new_state == finding_route;
            if (is_request(event) && event.info.listen_socket && waiting++ == 0) OK(gns_accept(event.connection, 0));
            return finding == 2;
        };
        mailbox.until(both);
        connect_p2p(mailbox, postman, "str:alice", 1, no_route);
        mailbox.until([](const Event &event) { return is_request(event) && event.info.listen_socket; });
        Mailbox closed;
        const uint64_t gone = connect_p2p(closed, postman, "str:alice", 0);
        OK(close(gone, 1000, "", true));
        OK(gns_stop(0));
        for (const Event &end : {link.server.end_of(link.inbound), link.client.end_of(link.outbound)}) {
            CHECK_EQUAL(end.code, GNS_END_SHUTDOWN);
            CHECK_EQUAL(end.old_state, connected);
        }
        std::map<int32_t, int> ends;                                 // by the state before
        for (const Event &event : mailbox.all_within(patience_us)) { // until it says that GNS is stopped
            if (!event.is_end()) continue;
            CHECK_EQUAL(event.code, GNS_END_SHUTDOWN);
            ++ends[event.old_state];
        }
        CHECK_EQUAL(ends[connecting], 3);
        CHECK_EQUAL(ends[finding_route], 2);
        CHECK_EQUAL(gns_signalling_destroy(postman.signalling), GNS_ERROR_NOT_RUNNING);
        CHECK_EQUAL(postman.give("str:alice", "x"), GNS_ERROR_NOT_RUNNING);
    }
}

TEST(p2p_life, a_peer_hears_of_a_stop_while_a_route_is_found) {
    PeerProcess peer(bob);
    set_dead_relay();
    Postman postman("str:alice", [&](const Post &post) { peer.wire->deliver(post); });
    peer.wire->connect(postman);
    peer.wire->await("listening");
    Mailbox mailbox;
    const uint64_t connection = connect_p2p(mailbox, postman, "str:bob", 0, no_route);
    mailbox.until(reaches(finding_route));
    peer.wire->say("stop");
    const Event end = mailbox.end_of(connection);
    CHECK_EQUAL(end.new_state, closed_by_peer);
    CHECK_EQUAL(end.code, GNS_END_SHUTDOWN);
    peer.join();
}

TEST(p2p_life, a_signalling_may_go) {
    start_as("str:alice");
    for (const bool mailbox_goes : {false, true}) {
        Mailbox server, client;
        P2pLink *link = nullptr;
        {
            Postman postman;
            link = new P2pLink(postman, mailbox_goes);
            postman.stop();
            listen_p2p(server, postman, 7 + mailbox_goes);
            connect_p2p(client, postman, "str:alice", 7 + mailbox_goes, ends_after(500));
            if (mailbox_goes)
                OK(gns_mailbox_destroy(postman.mailbox.handle));
            else
                OK(gns_signalling_destroy(postman.signalling));
            CHECK_EQUAL(client.until([](const Event &event) { return event.is_end(); }).code, 5003);
        }
        check_alive(link->server, link->inbound, link->client, link->outbound);
        OK(close(link->outbound));
        OK(close(link->inbound));
        delete link;
    }
}

TEST(p2p_life, a_listen_socket_that_closes_takes_its_requests_along) {
    start_as("str:alice");
    Postman postman;
    Mailbox server, client;
    const uint64_t socket = listen_p2p(server, postman);
    const uint64_t outbound = connect_p2p(client, postman);
    const uint64_t inbound = server.until(is_request).connection;
    OK(gns_listen_close(socket, GNS_END_GOING_AWAY, "closing", 7, 1));
    CHECK_EQUAL(server.end_of(inbound).code, GNS_END_GOING_AWAY);
    const Event end = client.end_of(outbound);
    CHECK_EQUAL(end.new_state, closed_by_peer);
    CHECK_EQUAL(end.code, GNS_END_GOING_AWAY);
    listen_p2p(server, postman); // the port is free
}

TEST(p2p_life, loss_duplicates_and_disorder_only_take_time) {
    start_as("str:alice");
    Postman postman;
    std::mt19937 random(60);
    std::vector<std::string> late;
    postman.set([&](const Post &post) {
        if (random() % 10 < 4) return; // lost
        late.push_back(post.signal);
        if (late.size() < 3 && random() % 2) return;
        std::shuffle(late.begin(), late.end(), random);
        for (const std::string &signal : late)
            for (int copies = 1 + static_cast<int>(random() % 2); copies > 0; --copies)
                postman.give("str:alice", signal);
        late.clear();
    });
    Mailbox server, client;
    const Options patient = ends_after(30'000);
    listen_p2p(server, postman, 0, patient);
    constexpr int count = 8;
    for (int i = 0; i < count; ++i) connect_p2p(client, postman, "str:alice", 0, patient);
    int established = 0;
    const int64_t deadline = gns_time_us() + 30'000'000;
    while (established < 2 * count && gns_time_us() < deadline) {
        for (Mailbox *const mailbox : {&server, &client})
            for (const Event &event : mailbox->all_within(10'000)) {
                if (event.is_end()) FAIL("it ended: " + std::to_string(event.code) + " " + event.info.end_text);
                if (is_request(event) && event.info.listen_socket) OK(gns_accept(event.connection, 0));
                established += event.new_state == connected;
            }
    }
    CHECK_EQUAL(established, 2 * count);
}

TEST(p2p_life, many_begin_and_end) {
    start_as("str:alice");
    const int before = open_descriptors();
    {
        std::vector<std::unique_ptr<Postman>> postmen; // of one identity each no more than ten at once may ask
        for (int i = 0; i < 5; ++i) postmen.push_back(std::make_unique<Postman>());
        for (int round = 0; round < 2; ++round) {
            for (int i = 0; i < 5; ++i) {
                Mailbox server, client;
                std::vector<uint64_t> all;
                Postman &postman = *postmen[static_cast<size_t>(i)];
                const uint64_t socket = listen_p2p(server, postman, i);
                for (int k = 0; k < 4; ++k) all.push_back(connect_p2p(client, postman, "str:alice", i));
                for (int k = 0; k < 4; ++k) all.push_back(server.until(is_request).connection);
                for (size_t k = 4; k < 8; ++k) OK(gns_accept(all[k], 0));
                for (int k = 0; k < 4; ++k)
                    for (Mailbox *const mailbox : {&server, &client}) mailbox->until(reaches(connected));
                for (; !all.empty(); all.pop_back()) OK(close(all.back()));
                OK(gns_listen_close(socket, 1000, nullptr, 0, 0));
            }
        }
    }
    // GNS keeps closed ones for five seconds; not beyond its end.
    OK(gns_stop(0));
    OK(gns_start("str:alice", 9));
    CHECK(open_descriptors() <= before + 1);
}

TEST(p2p_life, another_route_is_an_event) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    gns_core::Runtime &runtime = gns_core::runtime();
    const auto connection = runtime.connections.find(link.outbound);
    const int32_t route = connection->route;
    CHECK(route != GNS_ROUTE_UNKNOWN);
    const auto select = [&](int32_t before) { // as when ICE does it, in the middle of a turn
        runtime.commands.run([&] {
            connection->route = before;
            runtime.service.routes.selected(connection->gns_handle.load());
        });
    };
    select(route); // a route of the same kind: no event
    select(GNS_ROUTE_RELAYED);
    const Event event = link.client.next();
    CHECK_EQUAL(event.kind, GNS_EVENT_ROUTE);
    CHECK_EQUAL(event.connection, link.outbound);
    CHECK_EQUAL(event.old_state, GNS_ROUTE_RELAYED);
    CHECK_EQUAL(event.new_state, route);
    CHECK_EQUAL(event.info.route, route);
    check_alive(link.server, link.inbound, link.client, link.outbound);
}

TEST(p2p_life, a_forked_child_is_told) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    const pid_t child = ::fork();
    if (child == 0) {
        uint64_t handle = 0;
        gns_signalling_counters counters;
        const bool told = gns_signalling_create(link.server.handle, &handle) == GNS_ERROR_FORKED &&
                          gns_signalling_destroy(postman.signalling) == GNS_ERROR_FORKED &&
                          gns_signalling_counters_get(postman.signalling, &counters) == GNS_ERROR_FORKED &&
                          postman.give("str:alice", "x") == GNS_ERROR_FORKED &&
                          gns_p2p_listen(link.server.handle, postman.signalling, 1, nullptr, 0, nullptr, &handle) ==
                              GNS_ERROR_FORKED &&
                          gns_p2p_connect(link.server.handle, postman.signalling, "str:bob", 7, 1, nullptr, 0, nullptr,
                                          &handle) == GNS_ERROR_FORKED;
        ::_exit(told ? 0 : 1);
    }
    int status = -1;
    CHECK_EQUAL(::waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
    check_alive(link.server, link.inbound, link.client, link.outbound);
}

TEST(p2p_life, handles_are_checked) {
    start_as("str:alice");
    Postman postman;
    Mailbox mailbox;
    uint64_t handle = 0;
    gns_signalling_counters counters;
    for (const uint64_t bad : {uint64_t{0}, uint64_t{1}, mailbox.handle, postman.signalling + 1, ~uint64_t{0}}) {
        CHECK_EQUAL(gns_signalling_destroy(bad), GNS_ERROR_BAD_HANDLE);
        CHECK_EQUAL(gns_signalling_counters_get(bad, &counters), GNS_ERROR_BAD_HANDLE);
        CHECK_EQUAL(gns_signal(bad, "str:bob", 7, "x", 1), GNS_ERROR_BAD_HANDLE);
        CHECK_EQUAL(gns_p2p_listen(mailbox.handle, bad, 0, nullptr, 0, nullptr, &handle), GNS_ERROR_BAD_HANDLE);
        CHECK_EQUAL(gns_p2p_connect(mailbox.handle, bad, "str:bob", 7, 0, nullptr, 0, nullptr, &handle),
                    GNS_ERROR_BAD_HANDLE);
    }
    CHECK_EQUAL(gns_signalling_create(postman.signalling, &handle), GNS_ERROR_BAD_HANDLE);
    OK(gns_stop(0));
    CHECK_EQUAL(gns_signalling_create(mailbox.handle, &handle), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_p2p_listen(mailbox.handle, postman.signalling, 0, nullptr, 0, nullptr, &handle),
                GNS_ERROR_NOT_RUNNING);
    OK(gns_start("str:alice", 9));
    CHECK_EQUAL(gns_signalling_counters_get(postman.signalling, &counters), GNS_ERROR_BAD_HANDLE);
}
