// Symmetric connections from peer to peer: both may connect, and get one connection.
#include <string>

#include "p2p.hpp"

namespace {

const Options symmetric = Options().set(k_ESteamNetworkingConfig_SymmetricConnect, 1);

// A process that is one of two: with a postman to the other one, and a symmetric listen socket.
struct Side {
    explicit Side(Wire &own_wire, const std::string &identity)
        : wire(own_wire), postman(identity, [this](const Post &post) { wire.deliver(post); }) {
        wire.connect(postman);
        socket = listen_p2p(listener, postman, 0, symmetric);
    }

    Wire &wire;
    Mailbox listener, mailbox;
    Postman postman;
    uint64_t socket = 0;
};

// The peer's part: listens, connects when it is told to, echoes one message, waits.
void connect_and_echo(Wire &wire) {
    Side side(wire, "str:bob");
    wire.say("listening");
    wire.await("connect");
    const uint64_t connection = connect_p2p(side.mailbox, side.postman, wire.peer, 0, symmetric);
    wire.say("connecting");
    OK(send(connection, side.mailbox.message().data));
    wire.await("done");
}

const PeerRole bob("connect_and_echo", connect_and_echo);

} // namespace

TEST(p2p_symmetric, crossing_connects_become_one_connection) {
    for (int i = 0; i < 4; ++i) { // which one becomes the server is a matter of chance
        PeerProcess peer(bob);
        {
            Side side(*peer.wire, "str:alice");
            peer.wire->await("listening");
            peer.wire->say("connect");
            const uint64_t connection = connect_p2p(side.mailbox, side.postman, "str:bob", 0, symmetric);
            peer.wire->await("connecting");
            OK(send(connection, "hello"));
            CHECK_EQUAL(side.mailbox.message().data, "hello");
            for (const Event &event : side.listener.all_within(0))
                CHECK(is_request(event) || event.code == GNS_END_TAKEN_OVER);
            peer.wire->say("done");
            peer.join();
        }
    }
}

TEST(p2p_symmetric, a_request_that_waits_is_taken_over) {
    PeerProcess peer(bob);
    Side side(*peer.wire, "str:alice");
    peer.wire->await("listening");
    peer.wire->say("connect");
    const Event request = side.listener.next();
    CHECK(is_request(request));
    gns_peer_policy certified{};
    certified.authenticated = 1;
    uint64_t refused = 0;
    CHECK_EQUAL(gns_p2p_connect(side.mailbox.handle, side.postman.signalling, "str:bob", 7, 0, symmetric.data(),
                                symmetric.size(), &certified, &refused),
                GNS_ERROR_CERTIFICATE);
    Options options = symmetric;
    options.set(GNS_CONFIG_RECV_QUEUE_MESSAGES, 100).set(k_ESteamNetworkingConfig_SendBufferSize, 100'000);
    const uint64_t connection = connect_p2p(side.mailbox, side.postman, "str:bob", 0, options);
    const Event end = side.listener.end_of(request.connection);
    CHECK_EQUAL(end.new_state, none);
    CHECK_EQUAL(end.code, GNS_END_TAKEN_OVER);
    CHECK_EQUAL(gns_accept(request.connection, 0), -k_EResultNoConnection);
    CHECK_EQUAL(gns_send(request.connection, "x", 1, GNS_SEND_RELIABLE, 0), -k_EResultNoConnection);
    OK(close(request.connection)); // has nothing to do with the connection
    CHECK_EQUAL(gns_send(connection, std::string(100'001, 'x').data(), 100'001, GNS_SEND_RELIABLE, 0),
                GNS_ERROR_TOO_LARGE);
    CHECK(is_request(side.mailbox.next()));
    OK(send(connection, "hello"));
    CHECK_EQUAL(side.mailbox.until(reaches(connected)).info.virtual_port, 0);
    CHECK_EQUAL(side.mailbox.message().data, "hello");
    CHECK_EQUAL(gns_p2p_connect(side.mailbox.handle, side.postman.signalling, "str:bob", 7, 0, symmetric.data(),
                                symmetric.size(), nullptr, &refused),
                -k_EResultDuplicateRequest);
    expect_log("Cannot create P2P connection");
    peer.wire->say("done");
    peer.join();
}

TEST(p2p_symmetric, a_request_is_taken_over_before_it_is_reported) {
    PeerProcess peer(bob);
    Side side(*peer.wire, "str:alice");
    peer.wire->await("listening");
    // The first signal, and the connect, are done in one turn, or nearly.
    std::atomic<uint64_t> connection{0};
    std::mutex first;
    std::string signal;
    peer.wire->hold([&](const std::string &held) {
        std::lock_guard lock(first);
        if (signal.empty()) signal = held;
    });
    peer.wire->say("connect");
    wait_until(
        [&] {
            std::lock_guard lock(first);
            return !signal.empty();
        },
        "the request arrives");
    peer.wire->hold(nullptr);
    OK(side.postman.give("str:bob", signal));
    connection = connect_p2p(side.mailbox, side.postman, "str:bob", 0, symmetric);
    CHECK(is_request(side.mailbox.next()));
    OK(send(connection, "hello"));
    CHECK_EQUAL(side.mailbox.message().data, "hello");
    peer.wire->say("done");
    peer.join();
}

TEST(p2p_symmetric, a_peer_that_comes_back_waits_for_the_end_of_the_old_connection) {
    PeerProcess first(bob), second(bob);
    std::atomic<Wire *> wire{first.wire.get()};
    Postman postman("str:alice", [&](const Post &post) { wire.load()->deliver(post); });
    first.wire->connect(postman);
    second.wire->connect(postman);
    Mailbox listener;
    listen_p2p(listener, postman, 0, symmetric);
    for (PeerProcess *const peer : {&first, &second}) peer->wire->await("listening");
    first.wire->say("connect");
    const uint64_t old = listener.until(is_request).connection;
    OK(gns_accept(old, 0));
    listener.until(reaches(connected));
    first.kill();
    wire = second.wire.get();
    second.wire->say("connect");
    wait_until([&] { return postman.counters().repeated > 0; }, "the new request arrives");
    OK(close(old));
    const uint64_t connection = listener.until(is_request).connection;
    OK(gns_accept(connection, 0));
    OK(send(connection, "hello"));
    CHECK_EQUAL(listener.message().data, "hello");
    second.wire->say("done");
    second.join();
}

TEST(p2p_symmetric, needs_another_peer) {
    start_as("str:alice");
    Postman postman;
    Mailbox mailbox;
    uint64_t handle = 0;
    CHECK_EQUAL(gns_p2p_connect(mailbox.handle, postman.signalling, "str:alice", 9, 0, symmetric.data(),
                                symmetric.size(), nullptr, &handle),
                -k_EResultInvalidParam);
    listen_p2p(mailbox, postman, 0, symmetric);
    CHECK_EQUAL(gns_p2p_connect(mailbox.handle, postman.signalling, "str:alice", 9, 0, nullptr, 0, nullptr, &handle),
                -k_EResultInvalidParam);
}
