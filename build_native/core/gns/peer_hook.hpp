// The question of the mended GNS (cmake/gns_mended.cmake) about a peer whose handshake is in order: its key has signed
// it, and its certificate has been checked. Included by GNS's own source, so it depends on neither side. Called in both
// roles, before anything else is sent, by the thread that polls, with GNS's global lock and the connection's held; must
// not throw.
#pragma once

#include <cstddef>
#include <cstdint>

struct SteamNetworkingIdentity;

namespace gns_core {

class PeerHook {
public:
    struct Peer {
        uint32_t connection;
        uint32_t listen_socket; // 0: this end connects, or both ends of a pair are here
        const SteamNetworkingIdentity *identity;
        const uint8_t *key; // ed25519, 32 bytes
        uint32_t expires;
        bool trusted;
        const char *problem; // why its certificate is not trusted; "": it has none
    };
    // Returns 0 to go on. Otherwise the connection ends with the reason that is returned, and with what was written to
    // the text.
    virtual int32_t check(const Peer &peer, char *text, size_t capacity) noexcept = 0;

protected:
    ~PeerHook() = default;
};

// Defined by the mended GNS; nullptr: every peer that GNS itself takes is taken.
extern PeerHook *peer_hook;

} // namespace gns_core
