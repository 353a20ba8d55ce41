// Peers that do not prove in the handshake what they must are refused, and both ends learn it. Both are in this
// process, and so present the same certificate; tests/contract has two processes.
#include <string>

#include "authority.hpp"
#include "core.hpp"

namespace {

constexpr int32_t bad_certificate = 4003;

const Key ca('\1'), other_ca('\2'), mine('\4'), another('\5');

class Policy {
public:
    Policy &authenticated(int32_t value = 1) {
        policy_.authenticated = value;
        return *this;
    }
    Policy &identity(const std::string &text) {
        identity_ = text;
        policy_.identity = identity_.data();
        policy_.identity_size = static_cast<int32_t>(identity_.size());
        return *this;
    }
    Policy &key(const Key &key) {
        keys_ += key.public_key;
        policy_.keys = reinterpret_cast<const uint8_t *>(keys_.data());
        ++policy_.key_count;
        return *this;
    }
    const gns_peer_policy *get() const { return &policy_; }

private:
    std::string identity_, keys_;
    gns_peer_policy policy_{nullptr, nullptr, 0, 0, -1, 0};
};

void trust(const Key &authority) {
    const std::string bytes = root(authority);
    const void *data = bytes.data();
    const int32_t size = static_cast<int32_t>(bytes.size());
    OK(gns_trust_set(&data, &size, 1));
}

void present(const Key &key, const Key &issuer = ca) {
    const std::string bytes = leaf(key, "str:alice", issuer);
    OK(gns_certificate_set(bytes.data(), static_cast<int32_t>(bytes.size()), key.seed.data(), 32));
}

struct Ends {
    explicit Ends(const gns_peer_policy *of_server = nullptr) : address(free_address()) {
        OK(gns_listen(server.handle, &address, nullptr, 0, nullptr, of_server, &socket));
    }

    void begin(const gns_peer_policy *of_client = nullptr) {
        OK(gns_connect(client.handle, &address, nullptr, 0, of_client, &outbound));
    }

    // Fails the test unless the server takes the client, and the client the server.
    void let_in(const gns_peer_policy *of_client = nullptr) {
        begin(of_client);
        const uint64_t inbound = next_request();
        OK(gns_accept(inbound, 0));
        client.until([](const Event &event) { return event.new_state == connected; });
        server.until([](const Event &event) { return event.new_state == connected; });
        check_alive(server, inbound, client, outbound);
    }

    // The server refuses: the client learns why, and the server's mailbox nothing.
    void refused_by_server(const std::string &text) {
        begin();
        const Event end = client.end_of(outbound);
        CHECK_EQUAL(end.new_state, closed_by_peer);
        CHECK_EQUAL(end.code, bad_certificate);
        CHECK_EQUAL(std::string(end.info.end_text), text);
        CHECK(server.all_within(0).empty());
    }

    // The client refuses: both learn why.
    void refused_by_client(const Policy &policy, const std::string &text) {
        begin(policy.get());
        const uint64_t inbound = next_request();
        OK(gns_accept(inbound, 0));
        const Event here = client.end_of(outbound), there = server.end_of(inbound);
        CHECK_EQUAL(here.new_state, problem_locally);
        CHECK_EQUAL(there.new_state, closed_by_peer);
        for (const Event &end : {here, there}) {
            CHECK_EQUAL(end.code, bad_certificate);
            CHECK_EQUAL(std::string(end.info.end_text), text);
        }
    }

    uint64_t next_request() {
        return server.until([](const Event &event) { return event.old_state == none; }).connection;
    }

    Mailbox server, client;
    gns_address address;
    uint64_t socket = 0, outbound = 0;
};

const std::string no_certificate = "authentication required: str:alice has no certificate";

struct Named { // without a certificate, "ip:127.0.0.1:PORT" would be its name
    Named() {
        OK(gns_stop(0));
        OK(gns_start("str:alice", 9));
    }
};

} // namespace

// GNS's own refusal, which no hook has to do with.
TEST(peers, that_gns_refuses_are_told) {
    const Named named;
    Ends ends;
    for (const int32_t value :
         {k_ESteamNetworkingConfig_IP_AllowWithoutAuth, k_ESteamNetworkingConfig_IPLocalHost_AllowWithoutAuth}) {
        const gns_option option{value, GNS_TYPE_INT32, 0, 0, nullptr};
        OK(gns_config_set(GNS_SCOPE_LISTEN_SOCKET, ends.socket, &option));
    }
    expect_log("Need a cert authority!"); // GNS's way to refuse has a Bug line or two
    expect_log("Assertion Failed: false");
    ends.refused_by_server("Unsigned certs are not allowed");
}

TEST(peers, of_a_listen_socket_that_demands_authentication) {
    const Named named;
    Ends ends(Policy().authenticated().get());
    ends.refused_by_server(no_certificate);
    trust(ca);
    present(mine);
    ends.let_in();
    trust(other_ca);
    ends.refused_by_server("authentication required: certificate of str:alice: CA key " + std::to_string(ca.id()) +
                           " is not known to us");
    trust(ca); // also while it listens
    ends.let_in();
}

TEST(peers, of_a_process_that_demands_authentication) {
    const Named named;
    OK(gns_peer_policy_set(GNS_SCOPE_GLOBAL, 0, Policy().authenticated().get()));
    Ends ends;
    ends.refused_by_server(no_certificate);
    Ends lenient(Policy().authenticated(0).get());
    lenient.refused_by_client(Policy(), no_certificate);
    lenient.let_in(Policy().authenticated(0).get());
    OK(gns_peer_policy_set(GNS_SCOPE_LISTEN_SOCKET, lenient.socket, nullptr));
    lenient.refused_by_server(no_certificate);
    OK(gns_peer_policy_set(GNS_SCOPE_GLOBAL, 0, nullptr));
    lenient.let_in();
}

TEST(peers, with_an_address_only) {
    Ends ends(Policy().authenticated().get());
    ends.begin();
    const std::string text = ends.client.end_of(ends.outbound).info.end_text;
    CHECK_EQUAL(text.substr(0, 37), std::string("authentication required: ip:127.0.0.1"));
}

TEST(peers, with_an_expected_identity) {
    const Named named;
    Ends ends;
    ends.refused_by_client(Policy().identity("str:alice"), "identity not proved: str:alice has no certificate");
    trust(ca);
    present(mine);
    ends.let_in(Policy().identity("str:alice").get());
    ends.refused_by_client(Policy().identity("str:eu-1"), "expected str:eu-1, found str:alice");
}

TEST(peers, with_an_expected_key) {
    const Named named;
    trust(ca);
    present(mine);
    Ends ends;
    ends.let_in(Policy().key(another).key(mine).get());
    ends.refused_by_client(Policy().key(another).identity("str:alice"), "str:alice has another key than expected");
    trust(other_ca); // the key is enough, as with SSH, and so it is for the identity
    ends.let_in(Policy().key(mine).identity("str:alice").get());
    ends.refused_by_client(Policy().key(mine).identity("str:bob"), "expected str:bob, found str:alice");
    ends.refused_by_client(Policy().key(mine).authenticated(),
                           "authentication required: certificate of str:alice: CA key " + std::to_string(ca.id()) +
                               " is not known to us");
}

TEST(peers, with_a_revoked_key) {
    trust(ca);
    present(mine);
    Ends ends;
    ends.let_in();
    const uint64_t id = mine.id(), before = ends.outbound;
    OK(gns_revoke_set(&id, 1));
    ends.refused_by_server("the key of str:alice is revoked");
    CHECK_EQUAL(gns_connection_state(before), connected); // what was, goes on
}

TEST(peers, whose_authority_is_revoked) {
    trust(ca);
    present(mine);
    const uint64_t id = ca.id();
    OK(gns_revoke_set(&id, 1));
    Ends ends(Policy().authenticated().get());
    ends.refused_by_server("authentication required: certificate of str:alice: CA key " + std::to_string(id) +
                           " is not trusted.  Revoked");
}

TEST(peers, refused_sooner_than_any_timeout) {
    Ends ends(Policy().authenticated().get());
    const int64_t begin = gns_time_us();
    ends.begin();
    ends.client.end_of(ends.outbound);
    CHECK(gns_time_us() - begin < 5'000'000); // unmended, the client waits for ten seconds
}

TEST(peers, in_pairs_are_not_judged) {
    OK(gns_peer_policy_set(GNS_SCOPE_GLOBAL, 0, Policy().authenticated().key(another).get()));
    for (const int32_t network : {0, 1}) {
        Mailbox mailbox;
        uint64_t a = 0, b = 0;
        OK(gns_socket_pair(mailbox.handle, mailbox.handle, network, "str:a", 5, "str:b", 5, &a, &b));
        gns_connection_info info{};
        OK(gns_connection_info_get(a, &info));
        CHECK_EQUAL(info.authenticated, 0);
    }
}

TEST(peers, policies_that_are_none) {
    Mailbox mailbox;
    const gns_address address = free_address();
    uint64_t handle = 0;
    const auto is_refused = [&](const gns_peer_policy *policy, int32_t error) {
        CHECK_EQUAL(gns_connect(mailbox.handle, &address, nullptr, 0, policy, &handle), error);
        CHECK_EQUAL(gns_listen(mailbox.handle, &address, nullptr, 0, nullptr, policy, &handle), error);
        CHECK_EQUAL(gns_peer_policy_set(GNS_SCOPE_GLOBAL, 0, policy), error);
    };
    is_refused(Policy().identity("alice").get(), GNS_ERROR_BAD_IDENTITY);
    is_refused(Policy().identity(std::string(500, 'x')).get(), GNS_ERROR_BAD_TEXT);
    is_refused(Policy().authenticated(2).get(), GNS_ERROR_BAD_VALUE);
    CHECK_EQUAL(gns_peer_policy_set(GNS_SCOPE_CONNECTION, 0, nullptr), GNS_ERROR_WRONG_SCOPE);
    CHECK_EQUAL(gns_peer_policy_set(GNS_SCOPE_LISTEN_SOCKET, 77, nullptr), GNS_ERROR_BAD_HANDLE);
}
