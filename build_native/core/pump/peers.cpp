#include "pump/peers.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

#include "gns/certificates.hpp"
#include "gns/gns_native.hpp"
#include "guard.hpp"
#include "identity.hpp"
#include "pump/attempts.hpp"

namespace gns_core {

void Peers::attach() {
    demand(nullptr);
    revoked_.clear();
    arrivals_.clear();
    const GlobalLock lock;
    peer_hook = this;
}

void Peers::demand(std::shared_ptr<const PeerPolicy> policy) {
    everywhere_ = policy ? std::move(policy) : std::make_shared<PeerPolicy>();
}

void Peers::revoke(std::vector<uint64_t> key_ids) {
    std::sort(key_ids.begin(), key_ids.end());
    revoked_ = std::move(key_ids);
}

int32_t Peers::check(const Peer &peer, char *text, size_t capacity) noexcept {
    try {
        const std::shared_ptr<Connection> connection = handles_.find(peer.connection);
        if (!connection && !peer.listen_socket) return 0; // an end of a pair
        PeerFacts facts;
        facts.identity = text_of(*peer.identity);
        std::memcpy(facts.key.data(), peer.key, facts.key.size());
        facts.trusted = peer.trusted;
        facts.problem = peer.problem;

        std::shared_ptr<const PeerPolicy> own;
        if (connection)
            own = connection->policy;
        else if (const auto socket = handles_.find_listen_socket(peer.listen_socket))
            own = socket->policy;
        const bool revoked = std::binary_search(revoked_.begin(), revoked_.end(), key_id(peer.key));
        const std::string refusal =
            revoked ? "the key of " + facts.identity + " is revoked" : judge(facts, *everywhere_, own.get());
        if (!refusal.empty()) {
            copy_text(text, capacity, refusal);
            refusal_ = {k_ESteamNetConnectionEnd_Remote_BadCert, refusal};
            return k_ESteamNetConnectionEnd_Remote_BadCert;
        }
        PeerProof proof;
        proof.key = facts.key;
        proof.authenticated = facts.trusted && peer.identity->m_eType != k_ESteamNetworkingIdentityType_IPAddress;
        proof.key_expires = proof.authenticated ? peer.expires : 0;
        if (connection) {
            std::lock_guard lock(connection->end_mutex);
            connection->proof = proof;
        } else {
            arrivals_[peer.connection] = proof;
        }
        return 0;
    } catch (...) {
        copy_text(text, capacity, no_memory_text);
        return k_ESteamNetConnectionEnd_Misc_InternalError;
    }
}

PeerProof Peers::take_arrival(HSteamNetConnection gns_handle) {
    const auto found = arrivals_.find(gns_handle);
    if (found == arrivals_.end()) return {};
    const PeerProof proof = found->second;
    arrivals_.erase(found);
    return proof;
}

} // namespace gns_core
