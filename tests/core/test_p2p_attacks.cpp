// Signals that no honest peer or signalling service sends: they do nothing to connections that are established.
#include <algorithm>
#include <random>

#include "p2p.hpp"

namespace {

// The numbers that both ends of an established connection have of it, as the service has seen them.
struct Numbers {
    uint32_t inbound = 0, outbound = 0;
};

Numbers numbers_of(Postman &postman) {
    Numbers numbers;
    std::string request;
    for (const Post &post : postman.seen()) {
        const uint32_t from = fixed32_of(post.signal, from_number), to = fixed32_of(post.signal, to_number);
        if (find_field(post.signal, connect_request, &request)) numbers = {0, from};
        if (to && to == numbers.outbound) numbers.inbound = from;
    }
    CHECK(numbers.inbound && numbers.outbound);
    return numbers;
}

std::string signal_to(const Numbers &numbers, bool to_inbound, bool ice = true) {
    return bytes_field(from_identity, "str:alice") +
           fixed32_field(from_number, to_inbound ? numbers.outbound : numbers.inbound) +
           fixed32_field(to_number, to_inbound ? numbers.inbound : numbers.outbound) +
           (ice ? varint_field(ice_enabled, 1) : "");
}

// Waits until GNS has looked at what was given to it before.
void settle() { OK(gns_lingering()); } // which is a command, after the others

void check_no_messages(const std::vector<Event> &events) {
    for (const Event &event : events)
        if (event.kind != GNS_EVENT_ROUTE) FAIL("event " + std::to_string(event.kind) + " " + event.data);
}

constexpr int64_t a_moment_us = 100'000;

} // namespace

TEST(p2p_attacks, plain_messages_do_not_get_in) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    const Numbers numbers = numbers_of(postman);
    const std::string message =
        bytes_field(application_message, bytes_field(1, "injected") + varint_field(2, 1) + varint_field(3, 8));
    for (const bool to_inbound : {true, false}) OK(postman.give("str:alice", signal_to(numbers, to_inbound) + message));
    for (const Post &post : postman.seen()) OK(postman.give("str:alice", post.signal + message));
    settle();
    CHECK(postman.counters().received >= 4);
    check_no_messages(link.server.all_within(a_moment_us));
    check_no_messages(link.client.all_within(a_moment_us));
    check_alive(link.server, link.inbound, link.client, link.outbound);
}

TEST(p2p_attacks, an_established_connection_is_not_ended) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    const Numbers numbers = numbers_of(postman);
    const std::string no_connection = bytes_field(connection_closed, varint_field(6, 9999));
    const std::string closed = bytes_field(connection_closed, bytes_field(5, "forged") + varint_field(6, 1234));
    for (const bool to_inbound : {true, false}) {
        OK(postman.give("str:alice", signal_to(numbers, to_inbound) + closed));
        OK(postman.give("str:alice", signal_to(numbers, to_inbound) + no_connection));
        OK(postman.give("str:alice", signal_to(numbers, to_inbound, false)));
        OK(postman.give("str:alice", without(signal_to(numbers, to_inbound), to_number) + closed)); // by the other key
        OK(postman.give("str:alice", without(without(signal_to(numbers, to_inbound), from_identity), from_number) +
                                         closed)); // as a rejection
    }
    settle();
    CHECK_EQUAL(postman.counters().ends_dropped, 8);
    CHECK_EQUAL(postman.counters().stray, 2); // the rejections, whose numbers are not those of the peer
    check_alive(link.server, link.inbound, link.client, link.outbound);
}

TEST(p2p_attacks, passwords_and_requests_do_not_change_it) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    const Numbers numbers = numbers_of(postman);
    const std::string auth = bytes_field(reliable_message, bytes_field(1, bytes_field(2, bytes_field(1, "secret"))));
    const std::string request = bytes_field(connect_request, varint_field(9, 0) + varint_field(10, 0));
    for (const bool to_inbound : {true, false})
        for (int first = 1; first < 70; ++first) {
            OK(postman.give("str:alice", signal_to(numbers, to_inbound) + varint_field(first_reliable, first) + auth));
            OK(postman.give("str:alice", signal_to(numbers, to_inbound) + request));
            settle();
        }
    check_alive(link.server, link.inbound, link.client, link.outbound);
}

TEST(p2p_attacks, others_signals_are_refused) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    const Numbers numbers = numbers_of(postman);
    for (const Post &post : postman.seen()) CHECK_EQUAL(postman.give("str:mallory", post.signal), GNS_ERROR_BAD_SIGNAL);
    CHECK_EQUAL(postman.counters().bad, static_cast<int64_t>(postman.seen().size()));
    CHECK_EQUAL(postman.give("nonsense", ""), GNS_ERROR_BAD_IDENTITY);
    const std::string closed = bytes_field(connection_closed, varint_field(6, 1234));
    const auto by_mallory = [](const std::string &signal) {
        return without(signal, from_identity) + bytes_field(from_identity, "str:mallory");
    };
    const int64_t received = postman.counters().received;
    for (const bool to_inbound : {true, false}) {
        // The right number, from another; another one with the same low half, by which GNS looks.
        OK(postman.give("str:mallory", by_mallory(signal_to(numbers, to_inbound) + closed)));
        const uint32_t to = to_inbound ? numbers.inbound : numbers.outbound;
        OK(postman.give("str:alice", without(signal_to(numbers, to_inbound), to_number) +
                                         fixed32_field(to_number, to ^ 0x7f0000) + closed));
        OK(postman.give("str:alice", signal_to(numbers, to_inbound) + fixed32_field(from_number, 1) + closed));
    }
    settle();
    CHECK_EQUAL(postman.counters().stray, 6);
    CHECK_EQUAL(postman.counters().received, received);

    // A second signalling, where anyone can be alice, has nothing to say about the first one's connections.
    Postman other;
    for (const bool to_inbound : {true, false}) OK(other.give("str:alice", signal_to(numbers, to_inbound)));
    settle();
    CHECK_EQUAL(other.counters().stray, 2);
    CHECK_EQUAL(other.counters().received, 0);
    check_alive(link.server, link.inbound, link.client, link.outbound);
}

TEST(p2p_attacks, replays_change_nothing) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    std::vector<Post> seen = postman.seen();
    std::mt19937 random(17);
    for (int i = 0; i < 50; ++i) {
        std::shuffle(seen.begin(), seen.end(), random);
        for (const Post &post : seen) postman.give("str:alice", post.signal);
        settle();
    }
    check_no_messages(link.server.all_within(a_moment_us));
    check_no_messages(link.client.all_within(a_moment_us));
    check_alive(link.server, link.inbound, link.client, link.outbound);
    // Nor does the request make another connection once this one has ended.
    OK(close(link.outbound));
    OK(close(link.inbound));
    for (const Post &post : seen) postman.give("str:alice", post.signal);
    settle();
    for (const Event &event : link.server.all_within(a_moment_us)) CHECK(!is_request(event));
}

TEST(p2p_attacks, any_bytes_do_no_harm) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    const std::vector<Post> seen = postman.seen();
    const Numbers numbers = numbers_of(postman);
    std::mt19937 random(4);
    const auto below = [&random](size_t limit) { return static_cast<size_t>(random()) % limit; };
    const auto mutate = [&](std::string signal) {
        for (size_t changes = 1 + below(4); changes > 0 && !signal.empty(); --changes) switch (below(4)) {
            case 0: signal[below(signal.size())] = static_cast<char>(random()); break;
            case 1: signal.erase(below(signal.size()), 1 + below(8)); break;
            case 2: signal.insert(below(signal.size()), std::string(1 + below(8), static_cast<char>(random()))); break;
            default: signal += signal.substr(below(signal.size())); break;
            }
        return signal.substr(0, GNS_MAX_SIGNAL + 1);
    };
    // From the fields' beginning on the identity stays right, so that GNS sees the rest.
    const auto named = [&](const std::string &signal) { return signal + signal_to(numbers, below(2) != 0); };
    const int rounds = 20'000 / instrumented;
    for (int i = 0; i < rounds; ++i) {
        std::string signal;
        if (below(8) == 0)
            for (size_t size = below(200); size > 0; --size) signal.push_back(static_cast<char>(random()));
        else
            signal = mutate(seen[below(seen.size())].signal);
        postman.give("str:alice", below(2) ? named(signal) : signal);
        if (i % 64 == 0) settle();
    }
    settle();
    CHECK(postman.counters().received > rounds / 100);
    check_alive(link.server, link.inbound, link.client, link.outbound);
    CHECK_EQUAL(postman.give("str:alice", std::string(GNS_MAX_SIGNAL + 1, 'x')), GNS_ERROR_TOO_LARGE);
    CHECK_EQUAL(gns_signal(postman.signalling, "str:alice", 9, nullptr, -1), GNS_ERROR_BAD_VALUE);
}

TEST(p2p_attacks, any_bytes_do_no_harm_while_a_route_is_found) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    std::mt19937 random(5);
    std::vector<std::string> seen;
    for (int i = 0; i < 20; ++i) {
        Mailbox server, client;
        Postman bad;
        bad.set([&](const Post &post) {
            seen.push_back(post.signal);
            for (int k = 0; k < 20; ++k) {
                std::string signal = seen[random() % seen.size()];
                for (int changes = 0; changes < 3; ++changes)
                    signal[random() % signal.size()] = static_cast<char>(random());
                signal += bytes_field(from_identity, "str:alice");
                if (random() % 2) signal += fixed32_field(from_number, fixed32_of(post.signal, from_number));
                if (random() % 2) signal += fixed32_field(to_number, fixed32_of(post.signal, to_number));
                bad.give("str:alice", signal);
            }
            bad.give("str:alice", post.signal);
        });
        const int32_t port = 100 + i;
        listen_p2p(server, bad, port);
        connect_p2p(client, bad, "str:alice", port, ends_after(300));
        for (bool over = false; !over;) { // whatever becomes of it
            for (const Event &event : server.all_within(5'000))
                if (is_request(event)) gns_accept(event.connection, 0);
            for (const Event &event : client.all_within(5'000))
                over = over || event.is_end() || event.new_state == connected;
        }
    }
    check_alive(link.server, link.inbound, link.client, link.outbound);
}

TEST(p2p_attacks, a_flood_of_requests_gets_nowhere) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    std::string request, ignored;
    for (const Post &post : postman.seen())
        if (find_field(post.signal, connect_request, &ignored)) request = without(post.signal, from_number);
    constexpr int count = 3000;
    for (int i = 0; i < count; ++i) {
        postman.give("str:alice", request + fixed32_field(from_number, 1000 + static_cast<uint32_t>(i)));
        if (i % 100 == 0) settle();
    }
    settle();
    const gns_signalling_counters counters = postman.counters();
    CHECK(counters.rate + counters.flooded > count - 100);
    int requests = 0;
    for (const Event &event : link.server.all_within(a_moment_us)) requests += is_request(event);
    CHECK(requests > 0);
    CHECK(requests <= 10);
    // Names that others bear fail in the handshake, and leave nothing behind.
    for (int i = 0; i < 300; ++i) {
        const std::string name = "str:m" + std::to_string(i);
        const std::string signal = without(request, from_identity) + bytes_field(from_identity, name);
        OK(postman.give(name, signal + fixed32_field(from_number, 1)));
        settle();
    }
    for (const Event &event : link.server.all_within(a_moment_us)) CHECK(!is_request(event));
    check_alive(link.server, link.inbound, link.client, link.outbound);
}

TEST(p2p_attacks, signals_that_gns_cannot_take_yet_are_limited) {
    start_as("str:alice");
    Postman postman;
    P2pLink link(postman);
    const std::string signal = signal_to(numbers_of(postman), true);
    int taken = 0, refused = 0;
    for (int i = 0; i < 100'000 && refused == 0; ++i) {
        const int32_t result = postman.give("str:alice", signal);
        CHECK(result == 0 || result == -k_EResultLimitExceeded);
        (result == 0 ? taken : refused) += 1;
    }
    CHECK(taken >= 256);
    CHECK_EQUAL(postman.counters().flooded, refused);
    wait_until([&] { return postman.give("str:alice", signal) == 0; }, "there is room again");
    check_alive(link.server, link.inbound, link.client, link.outbound);
}
