// Policies for the peers of handshakes, and how a peer is judged by them. Knows nothing of GNS's connections.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core_api.hpp"

namespace gns_core {

using PeerKey = std::array<uint8_t, 32>;

struct PeerPolicy {
    std::string identity; // canonical; "": any
    std::vector<PeerKey> keys;
    int32_t authenticated = 0; // as in gns_peer_policy
};

// The facts that GNS has found out about a peer.
struct PeerFacts {
    std::string identity; // canonical, as it claims
    PeerKey key{};
    bool trusted = false; // its certificate, which proves the identity
    const char *problem = "";
};

// The part of them that a connection keeps.
struct PeerProof {
    PeerKey key{};
    int64_t key_expires = 0;
    bool authenticated = false;
};

// Copies a policy from C: 0, or BAD_IDENTITY, BAD_TEXT, BAD_VALUE. *to is nullptr for nullptr.
int32_t read_policy(const gns_peer_policy *from, std::shared_ptr<const PeerPolicy> *to);

// Returns why a peer is refused; "" if it is not. everywhere: the process's policy; own: the listen socket's or the
// connection's, or nullptr.
std::string judge(const PeerFacts &peer, const PeerPolicy &everywhere, const PeerPolicy *own);

} // namespace gns_core
