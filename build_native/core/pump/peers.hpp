// Judges the peers of GNS's handshakes, and keeps what they have proved. Serving thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gns/peer_hook.hpp"
#include "peer_policy.hpp"
#include "pump/gns_handles.hpp"

namespace gns_core {

class Peers final : public PeerHook {
public:
    explicit Peers(GnsHandles &handles) : handles_(handles) {}

    // Makes GNS ask, with nothing demanded. While GNS starts.
    void attach();
    // nullptr: nothing is demanded of peers, unless their listen socket or connection says so.
    void demand(std::shared_ptr<const PeerPolicy> policy);
    void revoke(std::vector<uint64_t> key_ids);

    int32_t check(const Peer &peer, char *text, size_t capacity) noexcept override;

    // Judges a peer by what it has proved already.
    std::string judge_now(const PeerFacts &peer, const PeerPolicy *own) const { return judge(peer, *everywhere_, own); }

    // The last refusal, for which GNS has a reason of its own in a rejection to a peer.
    struct Refusal {
        int32_t reason = 0; // 0: there was none
        std::string text;
    };
    Refusal take_refusal() { return std::exchange(refusal_, Refusal{}); }

    // Takes what the peer of a new inbound connection has proved.
    PeerProof take_arrival(HSteamNetConnection gns_handle);
    // Forgets those whose connections were not reported, since GNS has ended them.
    void forget_arrivals() { arrivals_.clear(); }

private:
    GnsHandles &handles_;
    std::shared_ptr<const PeerPolicy> everywhere_ = std::make_shared<PeerPolicy>();
    std::vector<uint64_t> revoked_; // sorted
    std::map<HSteamNetConnection, PeerProof> arrivals_;
    Refusal refusal_;
};

} // namespace gns_core
