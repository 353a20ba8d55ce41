// The parts of the core that look into signals and limit them, without a connection.
#include <vector>

#include "gns/p2p_signal.hpp"
#include "ice_servers.hpp"
#include "mailbox.hpp"
#include "p2p.hpp"
#include "pump/requests.hpp"
#include "outgoing_signals.hpp"

namespace {

using gns_core::Requests;
using gns_core::SignalFacts;
using Answer = Requests::Answer;

const std::string alice = "str:alice";
const std::string plain = bytes_field(from_identity, alice) + fixed32_field(from_number, 77);

std::string candidate(const std::string &text) {
    return bytes_field(reliable_message, bytes_field(1, bytes_field(1, bytes_field(3, text))));
}

std::string problem(const std::string &signal, const std::string &sender = alice) {
    SignalFacts facts;
    std::string clean;
    return gns_core::read_signal(signal, sender, &facts, &clean);
}

std::string cleaned(const std::string &signal, SignalFacts *facts = nullptr) {
    SignalFacts own;
    std::string clean;
    CHECK_EQUAL(gns_core::read_signal(signal, alice, facts ? facts : &own, &clean), "");
    return clean;
}

int count(const std::string &signal, int number) {
    int found = 0;
    std::string rest = signal, ignored;
    for (; find_field(rest, number, &ignored); rest = without(rest, number)) {
        const size_t one = bytes_field(number, ignored).size();
        found += static_cast<int>((rest.size() - without(rest, number).size()) / one);
    }
    return found;
}

} // namespace

TEST(p2p_signals, must_be_their_senders) {
    CHECK_EQUAL(problem(plain), "");
    CHECK(problem(plain, "str:bob").find("not from str:bob") != std::string::npos);
    CHECK(problem(bytes_field(from_identity, "str:bob") + plain).empty()); // the last one counts, for GNS, too
    CHECK(!problem(plain + bytes_field(from_identity, "str:bob")).empty());
    CHECK(!problem(plain + bytes_field(from_identity, "nonsense")).empty());
    CHECK(!problem(fixed32_field(from_number, 77)).empty());
    CHECK(!problem(bytes_field(from_identity, alice)).empty());
    CHECK(!problem("").empty());
    CHECK(!problem(plain.substr(0, plain.size() - 1)).empty());
    CHECK(!problem(std::string(8192, '\xff')).empty());
}

TEST(p2p_signals, a_rejection_without_a_sender_is_its_senders) {
    const std::string closed = bytes_field(connection_closed, varint_field(6, 1234));
    SignalFacts facts;
    const std::string clean = cleaned(fixed32_field(to_number, 5) + closed, &facts);
    CHECK(facts.close);
    CHECK_EQUAL(facts.to, 5u);
    CHECK_EQUAL(facts.from, 5u);
    std::string name;
    CHECK(find_field(clean, from_identity, &name));
    CHECK_EQUAL(name, alice);
    CHECK(!problem(closed).empty());
    CHECK(!problem(fixed32_field(to_number, 5)).empty());

    const std::string whole = gns_core::complete_rejection(fixed32_field(to_number, 5) + closed, alice, 4003, "no");
    CHECK_EQUAL(problem(whole), "");
    std::string said, reason;
    CHECK(find_field(whole, connection_closed, &said));
    CHECK(find_field(said, 5, &reason));
    CHECK_EQUAL(reason, "no");
    CHECK_EQUAL(gns_core::complete_rejection("\xff", alice, 0, ""), "\xff");
}

TEST(p2p_signals, plain_messages_are_taken_out) {
    const std::string message = bytes_field(application_message, bytes_field(1, "injected") + varint_field(2, 1));
    CHECK_EQUAL(cleaned(message + plain + message + message), cleaned(plain));
}

TEST(p2p_signals, candidates_are_limited) {
    std::string many = plain;
    for (int i = 0; i < 200; ++i) many += candidate("c");
    const auto kept = [&](uint64_t first) {
        return count(cleaned(many + varint_field(first_reliable, first)), reliable_message);
    };
    CHECK_EQUAL(kept(1), 64);
    CHECK_EQUAL(kept(0), 65); // GNS numbers them from 0, and begins with 1
    CHECK_EQUAL(kept(64), 1);
    CHECK_EQUAL(kept(65), 0);
    CHECK_EQUAL(kept(0xFFFFFFFF), 0);
    std::string first;
    CHECK(!find_field(cleaned(many + varint_field(first_reliable, 65)), first_reliable, &first));
    CHECK_EQUAL(problem(plain + candidate(std::string(200, 'c'))), "");
    CHECK(!problem(plain + candidate(std::string(300, 'c'))).empty());
}

TEST(p2p_signals, what_would_disturb_is_taken_out) {
    const std::string request = bytes_field(connect_request, varint_field(9, 3));
    const std::string auth = bytes_field(reliable_message, bytes_field(1, bytes_field(2, bytes_field(1, "secret"))));
    const std::string signal = cleaned(plain + request + auth);
    std::string ignored;
    CHECK(find_field(gns_core::without_disturbance(signal, false, false), connect_request, &ignored));
    CHECK(!find_field(gns_core::without_disturbance(signal, true, false), connect_request, &ignored));
    const auto holds_secret = [](const std::string &text) { return text.find("secret") != std::string::npos; };
    CHECK(holds_secret(gns_core::without_disturbance(signal, true, false)));
    const std::string calm = gns_core::without_disturbance(signal, true, true);
    CHECK(!holds_secret(calm));
    CHECK(find_field(calm, reliable_message, &ignored)); // the others keep their numbers
}

TEST(p2p_signals, ports_of_gns_s_own_are_none) {
    const auto ports = [](const std::string &request) {
        SignalFacts facts;
        cleaned(plain + bytes_field(connect_request, request), &facts);
        CHECK(facts.request);
        return std::to_string(facts.port) + " " + std::to_string(facts.peer_port);
    };
    CHECK_EQUAL(ports(""), "-1 -1");
    CHECK_EQUAL(ports(varint_field(9, 7)), "7 7");
    CHECK_EQUAL(ports(varint_field(9, 7) + varint_field(10, 8)), "7 8");
    CHECK_EQUAL(ports(varint_field(9, 0x7fffffff)), "-1 -1");
    CHECK_EQUAL(ports(varint_field(9, 65536) + varint_field(10, 0xffffffff)), "-1 -1");
}

TEST(p2p_signals, few_wait_in_a_mailbox_that_is_not_read) {
    const auto signalling = std::make_shared<gns_core::Signalling>();
    signalling->mailbox = std::make_shared<gns_core::Mailbox>();
    const std::string small(100, 's'), large(8192, 'l');
    for (int i = 0; i < 3000; ++i) gns_core::push_signal(signalling, alice, small.data(), 100);
    CHECK_EQUAL(signalling->leaving.load(), 1024);
    CHECK_EQUAL(signalling->counters.sent_dropped.load(), 3000 - 1024);
    signalling->mailbox->shut(true);
    CHECK_EQUAL(signalling->leaving.load(), 0);
    CHECK_EQUAL(signalling->leaving_bytes.load(), 0);
    signalling->mailbox = std::make_shared<gns_core::Mailbox>();
    for (int i = 0; i < 3000; ++i) gns_core::push_signal(signalling, alice, large.data(), 8192);
    CHECK(signalling->leaving_bytes.load() <= 1 << 20);
    CHECK(signalling->leaving.load() > 100);
    signalling->mailbox->shut(true); // pushing into one that is destroyed leaves nothing
    gns_core::push_signal(signalling, alice, small.data(), 100);
    CHECK_EQUAL(signalling->leaving.load(), 0);
    signalling->mailbox = nullptr;
    CHECK(gns_core::push_signal(signalling, alice, small.data(), 100) == nullptr);
}

TEST(p2p_signals, requests_of_one_identity_are_limited) {
    Requests requests;
    int64_t now = 1'000'000;
    uint32_t number = 0;
    for (int i = 0; i < 10; ++i) {
        CHECK(requests.ask({alice, ++number}, now) == Answer::fresh);
        now += 100'000;
    }
    CHECK(requests.ask({alice, ++number}, now) == Answer::rate);
    CHECK(requests.ask({"str:bob", 1}, now) == Answer::fresh);
    CHECK(requests.ask({alice, ++number}, 11'000'000) == Answer::fresh); // the first is 10 s old
    CHECK(requests.ask({alice, ++number}, 11'000'000) == Answer::rate);
    CHECK(requests.ask({alice, ++number}, 60'000'000) == Answer::fresh);
}

TEST(p2p_signals, requests_that_wait_are_limited) {
    Requests requests;
    int64_t now = 0;
    std::vector<Requests::Key> keys;
    for (uint32_t i = 0; i < 64; ++i) {
        keys.emplace_back("str:" + std::to_string(i), i + 1);
        CHECK(requests.ask(keys.back(), ++now) == Answer::fresh);
        requests.begin(keys.back());
    }
    CHECK(requests.ask({alice, 1}, now) == Answer::pending);
    CHECK(requests.ask(keys[0], now) == Answer::known);
    requests.settle(keys[0]);
    requests.settle(keys[0]);
    CHECK(requests.ask({alice, 1}, now) == Answer::fresh);
    requests.begin({alice, 1});
    CHECK(requests.ask({alice, 2}, now) == Answer::pending);
    requests.end(keys[1], now); // one that waited
    CHECK(requests.ask({alice, 2}, now) == Answer::fresh);
    requests.drop({alice, 1});
    CHECK(requests.ask({alice, 1}, now) == Answer::fresh);
}

TEST(p2p_signals, ended_requests_are_remembered_for_a_while) {
    Requests requests;
    const Requests::Key key{alice, 1};
    CHECK(requests.ask(key, 0) == Answer::fresh);
    requests.begin(key);
    CHECK(requests.ask(key, 1'000'000) == Answer::known);
    requests.end(key, 2'000'000);
    requests.end(key, 3'000'000);
    CHECK(requests.ask(key, 16'999'999) == Answer::repeated);
    CHECK(requests.ask(key, 17'000'000) == Answer::fresh);
    for (uint32_t i = 0; i < 10'000; ++i) { // without end
        const Requests::Key other{"str:" + std::to_string(i), 1};
        CHECK(requests.ask(other, 18'000'000 + i) == Answer::fresh);
        requests.begin(other);
        requests.end(other, 18'000'000 + i);
    }
    CHECK(requests.ask({"str:9999", 1}, 18'010'000) == Answer::repeated);
    CHECK(requests.ask({"str:0", 1}, 18'010'000) == Answer::fresh);
}

TEST(p2p_signals, ice_servers_are_numbers) {
    const auto stun = [](const char *list) {
        return gns_core::problem_with_servers(k_ESteamNetworkingConfig_P2P_STUN_ServerList, list).empty();
    };
    for (const char *const list : {"", "192.0.2.1:3478", "192.0.2.1:3478,[2001:db8::1]:3478", "[::1]:1"})
        if (!stun(list)) FAIL(list);
    for (const char *const list : {"stun.example.org:3478",
                                   "192.0.2.1",
                                   "192.0.2.1:0",
                                   "192.0.2.1:65536",
                                   "192.0.2.1:3478,",
                                   ",192.0.2.1:3478",
                                   "192.0.2.1:3478, 192.0.2.2:3478",
                                   " 192.0.2.1:3478",
                                   "192.0.2.1:3478 ",
                                   "stun:192.0.2.1:3478",
                                   "2001:db8::1",
                                   "[2001:db8::1]",
                                   "[2001:db8::1",
                                   "192.0.2.1:3478?transport=udp",
                                   "192.0.2.1:3478\n",
                                   "a:1",
                                   "1.2.3:1",
                                   "0.0.0.0:1",
                                   "[::]:1",
                                   ":1",
                                   "192.0.2.1:1:2",
                                   "192.0.2.256:1",
                                   ","})
        if (stun(list)) FAIL(list);
    std::string many = "192.0.2.1:1";
    for (int i = 1; i < 16; ++i) many += ",192.0.2.1:1";
    CHECK(stun(many.c_str()));
    CHECK(!stun((many + ",192.0.2.1:1").c_str()));
    using gns_core::problem_with_turn;
    CHECK_EQUAL(problem_with_turn("", "", ""), "");
    CHECK_EQUAL(problem_with_turn("192.0.2.1:1", "", ""), "");
    CHECK_EQUAL(problem_with_turn("192.0.2.1:1", "u", "p"), "");
    CHECK_EQUAL(problem_with_turn("192.0.2.1:1,192.0.2.2:1", "u,v", "p,q"), "");
    CHECK(!problem_with_turn("192.0.2.1:1", "u", "p,q").empty());
    CHECK(!problem_with_turn("192.0.2.1:1", "u", "").empty());
    CHECK(!problem_with_turn("", "u", "p").empty());
}

TEST(p2p_signals, ice_servers_are_checked_at_all_scopes) {
    start_as(alice);
    Postman postman;
    Mailbox mailbox;
    uint64_t handle = 0;
    const gns_option named{k_ESteamNetworkingConfig_P2P_STUN_ServerList, GNS_TYPE_STRING, 0, 0, "example.org:3478"};
    CHECK_EQUAL(gns_config_set(GNS_SCOPE_GLOBAL, 0, &named), GNS_ERROR_BAD_VALUE);
    CHECK(std::string(gns_last_error_text()).find("'example.org:3478'") != std::string::npos);
    CHECK_EQUAL(gns_p2p_listen(mailbox.handle, postman.signalling, 0, &named, 1, nullptr, &handle),
                GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_p2p_connect(mailbox.handle, postman.signalling, "str:bob", 7, 0, &named, 1, nullptr, &handle),
                GNS_ERROR_BAD_VALUE);
    const gns_option turn[] = {
        {k_ESteamNetworkingConfig_P2P_TURN_ServerList, GNS_TYPE_STRING, 0, 0, "192.0.2.1:1,192.0.2.2:1"},
        {k_ESteamNetworkingConfig_P2P_TURN_UserList, GNS_TYPE_STRING, 0, 0, "u"},
        {k_ESteamNetworkingConfig_P2P_TURN_PassList, GNS_TYPE_STRING, 0, 0, "p,q"}};
    CHECK_EQUAL(gns_p2p_connect(mailbox.handle, postman.signalling, "str:bob", 7, 0, turn, 3, nullptr, &handle),
                GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(std::string(gns_last_error_text()), "there are 2 TURN servers, 1 users and 2 passwords");
    const uint64_t socket = listen_p2p(mailbox, postman);
    CHECK_EQUAL(gns_config_set(GNS_SCOPE_LISTEN_SOCKET, socket, &named), GNS_ERROR_BAD_VALUE);
}
