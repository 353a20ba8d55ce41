// The state FindingRoute, as Valve's documents describe it: "Some connection types use a back channel or trusted 3rd
// party for earliest communication. If the server accepts the connection, then these connections switch into the
// rendezvous state. During this state, we still have not yet established an end-to-end route, and so if you send any
// messages unreliable, they are going to be discarded."
#include <cstring>

#include "p2p.hpp"

namespace {

// Two ends that find no route until they may: the signals lack what ICE needs.
struct Searching {
    Searching() {
        postman = std::make_unique<Postman>();
        postman->set([this](const Post &post) {
            const std::string bare = without(without(post.signal, reliable_message), first_reliable);
            postman->give("str:alice", found ? post.signal : bare);
        });
        socket = listen_p2p(server, *postman);
        outbound = connect_p2p(client, *postman);
        CHECK(is_request(client.next()));
        inbound = server.until(is_request).connection;
    }

    void accept() {
        OK(gns_accept(inbound, 0));
        for (Mailbox *const mailbox : {&server, &client}) {
            const Event event = mailbox->next();
            CHECK_EQUAL(event.kind, GNS_EVENT_STATUS);
            CHECK_EQUAL(event.old_state, connecting);
            CHECK_EQUAL(event.new_state, finding_route);
        }
    }

    std::atomic<bool> found{false};
    std::unique_ptr<Postman> postman;
    Mailbox server, client;
    uint64_t socket = 0, inbound = 0, outbound = 0;
};

// Returns what arrives until the last message and a pong have.
std::vector<Event> read_all(Mailbox &mailbox) {
    std::vector<Event> events;
    for (bool last = false, pong = false; !last || !pong;) {
        events.push_back(mailbox.next());
        last = last || events.back().data == "last";
        pong = pong || events.back().kind == GNS_EVENT_PONG;
    }
    return events;
}

} // namespace

TEST(p2p_finding_route, both_ends_are_in_it_once_the_request_is_accepted) {
    start_as("str:alice");
    Searching ends;
    CHECK_EQUAL(gns_connection_state(ends.inbound), connecting);
    CHECK_EQUAL(gns_connection_state(ends.outbound), connecting);
    CHECK(ends.client.all_within(300'000).empty());
    ends.accept();
    for (const uint64_t connection : {ends.inbound, ends.outbound}) {
        CHECK_EQUAL(gns_connection_state(connection), finding_route);
        gns_connection_info info;
        OK(gns_connection_info_get(connection, &info));
        CHECK_EQUAL(info.state, finding_route);
        CHECK_EQUAL(info.route, GNS_ROUTE_UNKNOWN);
        CHECK_EQUAL(info.remote_address.port, 0);
        CHECK_EQUAL(std::string(info.identity), "str:alice"); // who the peer is, is known by then
        const uint8_t no_key[32] = {};
        CHECK(std::memcmp(info.peer_key, no_key, sizeof no_key) != 0);
        CHECK_EQUAL(gns_accept(connection, 0),
                    connection == ends.inbound ? -k_EResultInvalidState : -k_EResultInvalidParam);
        gns_connection_status status;
        OK(gns_connection_status_get(connection, &status, 0, nullptr));
        CHECK_EQUAL(status.state, finding_route);
        CHECK_EQUAL(status.ping_ms, -1);
        CHECK_EQUAL(status.queue_time_us, INT64_MAX);
    }
    ends.found = true;
    for (Mailbox *const mailbox : {&ends.server, &ends.client}) {
        const Event event = mailbox->next();
        CHECK_EQUAL(event.old_state, finding_route);
        CHECK_EQUAL(event.new_state, connected);
    }
    check_alive(ends.server, ends.inbound, ends.client, ends.outbound);
}

TEST(p2p_finding_route, messages_are_queued_and_go_out_when_there_is_a_route) {
    start_as("str:alice");
    Searching ends;
    OK(send(ends.outbound, "while connecting"));
    ends.accept();
    for (const uint64_t connection : {ends.inbound, ends.outbound}) {
        // A message that must not wait is dropped, all others are queued. The document is right about unreliable ones
        // in that one end is connected a moment before the other, which discards what arrives until it is, too.
        CHECK_EQUAL(send(connection, "at once or never", GNS_SEND_NO_DELAY), -k_EResultIgnored);
        CHECK_EQUAL(send(connection, "at once or never", GNS_SEND_NO_DELAY | GNS_SEND_RELIABLE), -k_EResultIgnored);
        OK(send(connection, "unreliable", 0));
        OK(send(connection, "reliable"));
        OK(send(connection, "last"));
        gns_send_queue queue;
        OK(gns_connection_send_queue(connection, &queue));
        CHECK_EQUAL(queue.messages, connection == ends.outbound ? 4 : 3);
        CHECK_EQUAL(gns_connection_wait_drained(connection, 0, 0, 0), 0);
        OK(gns_connection_ping(connection)); // which waits, too
    }
    CHECK(ends.server.all_within(100'000).empty()); // nothing can arrive
    CHECK(ends.client.all_within(0).empty());
    ends.found = true;
    const auto check = [](Mailbox &mailbox, const std::vector<std::string> &expected) {
        std::vector<std::string> reliable;
        int unreliable = 0;
        for (const Event &event : read_all(mailbox)) {
            if (!event.is_message()) continue;
            if (event.flags & GNS_SEND_RELIABLE)
                reliable.push_back(event.data);
            else
                ++unreliable;
        }
        CHECK(reliable == expected);
        CHECK(unreliable <= 1);
    };
    check(ends.server, {"while connecting", "reliable", "last"});
    check(ends.client, {"reliable", "last"});
}

TEST(p2p_finding_route, the_queue_has_its_usual_limits) {
    start_as("str:alice");
    Searching ends;
    ends.accept();
    int taken = 0;
    int64_t result = 0;
    for (; result >= 0 && taken < 100; ++taken) result = send(ends.outbound, std::string(100'000, 'x'));
    CHECK_EQUAL(result, -k_EResultLimitExceeded);
    ends.found = true;
    for (int i = 1; i < taken; ++i) CHECK_EQUAL(ends.server.message().data.size(), 100'000u);
}

TEST(p2p_finding_route, what_is_queued_is_discarded_by_a_close) {
    start_as("str:alice");
    Searching ends;
    ends.accept();
    OK(send(ends.outbound, "queued"));
    OK(close(ends.outbound, 1234, "never mind", true));
    CHECK_EQUAL(gns_lingering(), 0);
    const Event own = ends.client.next();
    CHECK_EQUAL(own.old_state, finding_route);
    CHECK_EQUAL(own.new_state, none);
    const Event end = ends.server.next(); // at once, by a signal
    CHECK_EQUAL(end.old_state, finding_route);
    CHECK_EQUAL(end.new_state, closed_by_peer);
    CHECK_EQUAL(end.code, 1234);
    CHECK_EQUAL(std::string(end.info.end_text), "never mind");
    CHECK_EQUAL(send(ends.inbound, "x"), -k_EResultNoConnection);
    CHECK_EQUAL(gns_connection_state(ends.inbound), closed_by_peer);
}

TEST(p2p_finding_route, options_of_the_route_are_locked_others_are_not) {
    start_as("str:alice");
    Searching ends;
    ends.accept();
    const gns_option ice{k_ESteamNetworkingConfig_P2P_Transport_ICE_Enable, GNS_TYPE_INT32, 1, 0, nullptr};
    CHECK_EQUAL(gns_config_set(GNS_SCOPE_CONNECTION, ends.outbound, &ice), GNS_ERROR_LOCKED);
    const gns_option nagle{k_ESteamNetworkingConfig_NagleTime, GNS_TYPE_INT32, 1000, 0, nullptr};
    OK(gns_config_set(GNS_SCOPE_CONNECTION, ends.outbound, &nagle));
    ends.found = true;
    ends.client.until(reaches(connected));
}
