// Certificates: which are trusted and which this process can present, renewal, revocation, and what is on the wire.
#include <atomic>
#include <cstring>
#include <thread>

#include "authority.hpp"
#include "core.hpp"
#include "tap.hpp"

namespace {

const Key ca('\1'), other_ca('\2'), between('\3'), mine('\4'), another('\5');

int32_t trust(const std::vector<std::string> &certificates) {
    std::vector<const void *> data;
    std::vector<int32_t> sizes;
    for (const std::string &each : certificates) {
        data.push_back(each.data());
        sizes.push_back(static_cast<int32_t>(each.size()));
    }
    return gns_trust_set(data.data(), sizes.data(), static_cast<int32_t>(data.size()));
}

int32_t present(const std::string &bytes, const std::string &key = mine.seed) {
    return gns_certificate_set(bytes.data(), static_cast<int32_t>(bytes.size()), key.empty() ? nullptr : key.data(),
                               static_cast<int32_t>(key.size()));
}

gns_certificate presented() {
    gns_certificate info{};
    OK(gns_certificate_info(&info));
    return info;
}

void check_refused(const std::string &bytes, const std::string &text, const std::string &key = mine.seed) {
    const gns_certificate before = presented();
    CHECK_EQUAL(present(bytes, key), GNS_ERROR_CERTIFICATE);
    if (!std::strstr(gns_last_error_text(), text.c_str())) FAIL(std::string("the text is ") + gns_last_error_text());
    const gns_certificate after = presented();
    CHECK(std::memcmp(&before, &after, sizeof before) == 0);
}

gns_connection_info info_of(uint64_t connection) {
    gns_connection_info info{};
    OK(gns_connection_info_get(connection, &info));
    return info;
}

std::string key_of(const gns_connection_info &info) {
    return {reinterpret_cast<const char *>(info.peer_key), sizeof info.peer_key};
}

void check_authenticated(uint64_t connection, const Key &key) {
    const gns_connection_info info = info_of(connection);
    CHECK_EQUAL(info.authenticated, 1);
    CHECK_EQUAL(info.flags & k_nSteamNetworkConnectionInfoFlags_Unauthenticated, 0);
    CHECK_EQUAL(std::string(info.identity), "str:alice");
    CHECK(key_of(info) == key.public_key);
    CHECK_EQUAL(info.peer_key_expires, presented().expires);
}

} // namespace

TEST(certificates, prove_an_identity_to_both_ends) {
    OK(trust({root(ca)}));
    OK(present(leaf(mine, "str:alice", ca)));
    char identity[128];
    OK(gns_identity(identity));
    CHECK_EQUAL(std::string(identity), "str:alice");
    const Link link;
    check_authenticated(link.inbound, mine);
    check_authenticated(link.outbound, mine);
    CHECK_EQUAL(OK(gns_start("str:alice", 9)), 1); // it is this process's identity now
}

TEST(certificates, are_not_needed) {
    const Link link;
    const gns_connection_info info = info_of(link.inbound);
    CHECK_EQUAL(info.authenticated, 0);
    CHECK_EQUAL(info.peer_key_expires, 0);
    CHECK(key_of(info) != std::string(32, '\0')); // it has one, made for this connection
    CHECK_EQUAL(presented().key_id, 0u);
}

TEST(certificates, of_an_unknown_authority_prove_only_their_key) {
    OK(trust({root(ca)}));
    OK(present(leaf(mine, "str:alice", ca)));
    OK(trust({root(other_ca)}));
    const Link link;
    const gns_connection_info info = info_of(link.outbound);
    CHECK_EQUAL(info.authenticated, 0);
    CHECK(key_of(info) == mine.public_key);
}

TEST(certificates, through_an_intermediate) {
    const std::string chain = certificate(between, {"", -hour, hour, 0}, ca);
    OK(trust({chain, root(ca)}));
    OK(present(leaf(mine, "str:alice", between)));
    const Link link;
    check_authenticated(link.inbound, mine);
}

TEST(certificates, that_are_trusted_are_checked) {
    OK(trust({root(ca)}));
    const auto is_refused = [](const std::vector<std::string> &certificates, const std::string &text) {
        CHECK_EQUAL(trust(certificates), GNS_ERROR_CERTIFICATE);
        if (!std::strstr(gns_last_error_text(), text.c_str()))
            FAIL(std::string("the text is ") + gns_last_error_text());
    };
    is_refused({root(ca), "nonsense"}, "certificate 1: it is not a certificate");
    is_refused({root(ca), ""}, "certificate 1: ");
    is_refused({leaf(mine, "str:alice", ca)}, "certificate 0: it is the certificate of an identity");
    is_refused({certificate(between, {"", -hour, hour}, ca)}, "certificate 0: it is signed neither by itself");
    std::string forged = root(ca);
    forged.back() ^= 1;
    is_refused({root(other_ca), forged}, "certificate 1: it is signed neither by itself");
    is_refused({std::string(5000, 'x')}, "");
    OK(present(leaf(mine, "str:alice", ca))); // the first one is still trusted
    OK(trust({root(ca), certificate(other_ca, {"", -2 * hour, -hour, -1}, other_ca)})); // one has expired
}

TEST(certificates, are_set_together_with_what_is_trusted_or_not_at_all) {
    OK(trust({root(ca)}));
    const std::string other_root = root(other_ca), own = leaf(mine, "str:alice", ca);
    const void *const data = other_root.data();
    const int32_t size = static_cast<int32_t>(other_root.size());
    gns_peer_policy policy{};
    policy.authenticated = 1;
    gns_authentication wanted{};
    wanted.trust = &data;
    wanted.trust_sizes = &size;
    wanted.trust_count = 1;
    wanted.certificate = own.data();
    wanted.certificate_size = static_cast<int32_t>(own.size());
    wanted.key = mine.seed.data();
    wanted.key_size = 32;
    wanted.policy = &policy;
    CHECK_EQUAL(gns_authentication_set(&wanted), GNS_ERROR_CERTIFICATE); // of the authority that is not trusted then
    CHECK_EQUAL(presented().key_id, 0u);
    const Link link;  // nothing is demanded
    OK(present(own)); // the first one is still trusted
    wanted.certificate_size = -1;
    OK(gns_authentication_set(&wanted));
    check_refused(own, "not trusted here: CA key");
    CHECK(key_of(info_of(link.outbound)) != mine.public_key); // made before
    wanted.trust_count = -2;
    CHECK_EQUAL(gns_authentication_set(&wanted), GNS_ERROR_BAD_VALUE);
}

TEST(certificates, that_peers_would_refuse_are_not_presented) {
    OK(trust({root(ca)}));
    check_refused("nonsense", "not a certificate");
    check_refused("", "not a certificate");
    check_refused(leaf(mine, "str:alice", other_ca), "not trusted here: CA key");
    check_refused(certificate(mine, {"str:alice", -2 * hour, -hour}, ca), "Cert expired");
    check_refused(certificate(mine, {"str:alice", hour, 2 * hour}, ca), "not valid for another");
    check_refused(certificate(mine, {"str:alice", -hour, int64_t{1} << 31}, ca), "more than 68 years");
    check_refused(certificate(mine, {"str:alice", -hour, hour, 7}, ca), "appid");
    check_refused(certificate(mine, {"str:alice", -hour, hour, -1}, ca), "no app id");
    check_refused(certificate(mine, {"", -hour, hour}, ca), "no identity");
    check_refused(leaf(mine, "ip:203.0.113.5:0", ca), "an address");
    check_refused(leaf(mine, "str:alice", ca), "not the one of the certificate", another.seed);
    check_refused(leaf(mine, "str:alice", ca), "32 bytes", "short");
    check_refused(leaf(mine, "str:alice", ca), "no private key", "");
    OK(present(leaf(mine, "str:alice", ca)));
    check_refused(leaf(mine, "str:bob", ca), "it is for str:bob, and this process is str:alice");
    check_refused(leaf(another, "str:alice", ca), "not the one of the certificate", "");
}

TEST(certificates, of_another_identity_than_the_process_has) {
    OK(gns_stop(0));
    OK(gns_start("str:bob", 7));
    OK(trust({root(ca)}));
    check_refused(leaf(mine, "str:alice", ca), "this process is str:bob");
    OK(present(leaf(mine, "str:bob", ca)));
}

TEST(certificates, are_requested_without_the_private_key_leaving) {
    char request[256];
    CHECK_EQUAL(gns_certificate_request(request, 10), GNS_ERROR_BUFFER_TOO_SMALL);
    const int32_t size = OK(gns_certificate_request(request, sizeof request));
    CHECK_EQUAL(OK(gns_certificate_request(request, sizeof request)), size); // the same key
    // 1: a certificate of 36 bytes, in it 1: key type 1, 2: the key of 32
    CHECK_EQUAL(std::string(request, 8), std::string("\x0a\x24\x08\x01\x12\x20", 6) + std::string(request + 6, 2));
    Key requested('\0');
    requested.public_key = std::string(request + 6, 32);
    OK(trust({root(ca)}));
    OK(present(leaf(requested, "str:alice", ca), ""));
    const Link link;
    check_authenticated(link.inbound, requested);
}

TEST(certificates, that_are_renewed_leave_connections_alone) {
    OK(trust({root(ca)}));
    OK(present(leaf(mine, "str:alice", ca)));
    Link link;
    const int64_t expires = info_of(link.inbound).peer_key_expires;
    OK(present(certificate(mine, {"str:alice", -hour, 2 * hour}, ca), ""));
    CHECK_EQUAL(presented().expires, info_of(link.add().first).peer_key_expires);
    OK(present(leaf(another, "str:alice", ca), another.seed)); // and with another key
    check_authenticated(link.add().second, another);
    check_alive(link.server, link.inbound, link.client, link.outbound);
    CHECK_EQUAL(info_of(link.inbound).peer_key_expires, expires);
}

TEST(certificates, that_have_expired_are_not_replaced_by_none) {
    OK(trust({root(ca)}));
    OK(present(certificate(mine, {"str:alice", -hour, 2}, ca)));
    Link link;
    const gns_address address = free_address();
    uint64_t handle = 0;
    wait_until([&] { return gns_connect(link.client.handle, &link.address, nullptr, 0, nullptr, &handle) < 0; },
               "the certificate expires");
    CHECK_EQUAL(gns_connect(link.client.handle, &link.address, nullptr, 0, nullptr, &handle), GNS_ERROR_CERTIFICATE);
    CHECK_EQUAL(gns_listen(link.server.handle, &address, nullptr, 0, nullptr, nullptr, &handle), GNS_ERROR_CERTIFICATE);
    check_alive(link.server, link.inbound, link.client, link.outbound);
    OK(present(leaf(mine, "str:alice", ca), ""));
    check_authenticated(link.add().first, mine);
}

TEST(certificates, are_forgotten_at_the_end) {
    OK(trust({root(ca)}));
    OK(present(leaf(mine, "str:alice", ca)));
    const uint64_t id = mine.id();
    OK(gns_revoke_set(&id, 1));
    OK(gns_stop(0));
    OK(gns_start(nullptr, 0));
    CHECK_EQUAL(presented().key_id, 0u);
    check_refused(leaf(mine, "str:alice", ca), "not trusted here");
    OK(trust({root(ca)}));
    OK(present(leaf(mine, "str:alice", ca)));
}

TEST(certificates, of_revoked_keys_can_become_good_again) {
    OK(trust({root(ca)}));
    const uint64_t ids[] = {ca.id(), another.id()};
    OK(gns_revoke_set(ids, 2));
    check_refused(leaf(mine, "str:alice", ca), "Revoked");
    OK(gns_revoke_set(nullptr, 0));
    OK(present(leaf(mine, "str:alice", ca)));
}

TEST(certificates, that_are_damaged_anywhere) {
    OK(trust({root(ca)}));
    const std::string good_root = root(other_ca), good_leaf = leaf(mine, "str:alice", ca);
    const auto are_refused = [](const std::string &bad_root, const std::string &bad_leaf) {
        CHECK_EQUAL(trust({bad_root}), GNS_ERROR_CERTIFICATE);
        CHECK_EQUAL(present(bad_leaf), GNS_ERROR_CERTIFICATE);
    };
    for (size_t i = 0; i < good_root.size(); ++i) {
        for (const int bit : {0, 3, 7}) {
            std::string bad_root = good_root, bad_leaf = good_leaf;
            bad_root[i] = static_cast<char>(bad_root[i] ^ (1 << bit));
            bad_leaf[i] = static_cast<char>(bad_leaf[i] ^ (1 << bit));
            are_refused(bad_root, bad_leaf);
        }
        are_refused(good_root.substr(0, i), good_leaf.substr(0, i));
    }
    OK(present(good_leaf)); // neither the trust nor the key has suffered
}

TEST(certificates, that_change_while_peers_connect) {
    OK(trust({root(ca)}));
    OK(present(leaf(mine, "str:alice", ca)));
    std::atomic<bool> done{false};
    std::thread changing([&done] {
        const std::string first = leaf(mine, "str:alice", ca), second = leaf(another, "str:alice", ca);
        const uint64_t id = other_ca.id();
        while (!done.load()) {
            trust({root(ca), root(other_ca)});
            present(second, another.seed);
            gns_revoke_set(&id, 1);
            presented();
            trust({root(ca)});
            present(first);
            gns_revoke_set(nullptr, 0);
        }
    });
    Link link;
    bool all = true;
    for (int i = 0; i < 40; ++i) {
        const auto [near, far] = link.add();
        const gns_connection_info info = info_of(far);
        all = all && info.authenticated && (key_of(info) == mine.public_key || key_of(info) == another.public_key);
        close(far);
        close(near);
    }
    done.store(true);
    changing.join();
    CHECK(all);
}

// Made by another program: see docs/certificate-format.md.
TEST(certificates, vectors) {
    const auto bytes = [](const std::string &hex) {
        std::string text;
        for (size_t i = 0; i < hex.size(); i += 2) text += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
        return text;
    };
    OK(trust({bytes("222e080112208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c4500f153654d001c49a9"
                    "2934750f98bd59fcfc3240415f5688e734594d65c46339cc42c1c94da8b70d7dd1d95c645aeeb54aae61b58c531961fe"
                    "54914601b0681abeedcf3a8cc1a2182a0190764f70f9e5f93fa20a")}));
    OK(present(bytes("223c080112208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3944500f153654d001c49a9"
                     "5000620a7374723a766563746f722934750f98bd59fcfc3240e240ee6ea0aa526731d5e6ed23d1b7945f7d9ba9817274"
                     "ff530c7b48ca2810b50532a5b9ccfddbd32c5605cefd7460a13991703d920cf24f110320bc691aea0b"),
               Key('\2').seed));
    const gns_certificate info = presented();
    CHECK_EQUAL(info.key_id, 3067050237140088938u);
    CHECK_EQUAL(info.issuer_key_id, 18229544062523766068u);
    CHECK_EQUAL(info.created, 1700000000);
    CHECK_EQUAL(info.expires, 2840140800);
    CHECK_EQUAL(std::string(info.identity), "str:vector");
}

TEST(certificates, keep_the_private_key_off_the_wire) {
    OK(trust({root(ca)}));
    const std::string bytes = leaf(mine, "str:alice", ca);
    for (const bool inside : {false, true}) {
        OK(present(inside ? with_private_key(bytes, mine) : bytes, inside ? "" : mine.seed));
        Mailbox server, client;
        const gns_address address = free_address();
        listen(server, address);
        Tap tap(address);
        const uint64_t far = connect(client, tap.address);
        const uint64_t near = server.next().connection;
        OK(gns_accept(near, 0));
        client.until([](const Event &event) { return event.new_state == connected; });
        server.until([](const Event &event) { return event.new_state == connected; });
        check_alive(server, near, client, far);
        check_authenticated(near, mine);
        CHECK(tap.has_seen(mine.public_key)); // twice, in fact: it sees everything
        CHECK(!tap.has_seen(mine.seed));
        CHECK(!tap.has_seen(mine.seed.substr(8, 16)));
    }
}
