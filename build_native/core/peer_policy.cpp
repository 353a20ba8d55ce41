#include "peer_policy.hpp"

#include <algorithm>
#include <cstring>

#include "guard.hpp"
#include "identity.hpp"

namespace gns_core {

namespace {

constexpr int32_t most_keys = 1024;

// Returns an identity for a text of at most 127 bytes, which must say what is wrong as well. Only those of the type
// gen: are so long that their middle is left out.
std::string shown(const std::string &identity) {
    constexpr size_t head = 19, tail = 16;
    if (identity.compare(0, 4, "gen:") != 0 || identity.size() <= head + tail) return identity;
    return identity.substr(0, head) + "..." + identity.substr(identity.size() - tail);
}

// Returns why the identity that a peer claims is not proved.
std::string doubt(const PeerFacts &peer) {
    const std::string identity = shown(peer.identity);
    if (peer.trusted) return identity + " is an address, which no certificate proves";
    if (!*peer.problem) return identity + " has no certificate";
    return "certificate of " + identity + ": " + peer.problem;
}

bool is_proved(const PeerFacts &peer) { return peer.trusted && peer.identity.compare(0, 3, "ip:") != 0; }

std::string judge(const PeerFacts &peer, const PeerPolicy &policy) {
    const bool pinned = std::find(policy.keys.begin(), policy.keys.end(), peer.key) != policy.keys.end();
    if (!policy.keys.empty() && !pinned) return shown(peer.identity) + " has another key than expected";
    if (policy.identity.empty()) return "";
    if (policy.identity != peer.identity)
        return "expected " + shown(policy.identity) + ", found " + shown(peer.identity);
    return pinned || is_proved(peer) ? "" : "identity not proved: " + doubt(peer);
}

} // namespace

int32_t read_policy(const gns_peer_policy *from, std::shared_ptr<const PeerPolicy> *to) {
    to->reset();
    if (!from) return 0;
    if (from->key_count < 0 || from->key_count > most_keys || from->authenticated < -1 || from->authenticated > 1)
        return fail(GNS_ERROR_BAD_VALUE);
    auto policy = std::make_shared<PeerPolicy>();
    policy->authenticated = from->authenticated;
    if (from->identity_size != 0) {
        SteamNetworkingIdentity identity;
        if (!is_text(from->identity, from->identity_size, SteamNetworkingIdentity::k_cchMaxString - 1))
            return fail(GNS_ERROR_BAD_TEXT);
        if (!parse_identity(from->identity, from->identity_size, &identity)) return fail(GNS_ERROR_BAD_IDENTITY);
        policy->identity = text_of(identity);
    }
    policy->keys.resize(static_cast<size_t>(from->key_count));
    for (size_t i = 0; i < policy->keys.size(); ++i)
        std::memcpy(policy->keys[i].data(), from->keys + i * sizeof(PeerKey), sizeof(PeerKey));
    *to = std::move(policy);
    return 0;
}

std::string judge(const PeerFacts &peer, const PeerPolicy &everywhere, const PeerPolicy *own) {
    std::string refusal = judge(peer, own ? *own : everywhere);
    if (!refusal.empty()) return refusal;
    const bool own_says = own && own->authenticated >= 0;
    const bool must_be_authenticated = own_says ? own->authenticated == 1 : everywhere.authenticated == 1;
    return must_be_authenticated && !is_proved(peer) ? "authentication required: " + doubt(peer) : "";
}

} // namespace gns_core
