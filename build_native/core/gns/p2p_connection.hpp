// Reaches into GNS's connections from peer to peer. Serving thread only.
#pragma once

#include <cstdint>

#include <steam/steamnetworkingtypes.h>

namespace gns_core {

// As far as signals are concerned.
enum class Phase {
    gone, // or no connection from peer to peer
    connecting,
    finding_route,
    established, // or lingering
    over,
};

struct P2pState {
    Phase phase = Phase::gone;
    bool peer_asked = false; // the peer has made the connection, or has become the one that did
    uint32_t peer_number = 0;
};
P2pState p2p_state(HSteamNetConnection connection);

// Tells the peer by a signal that this connection, which has just been closed, is. GNS tells it only if it happens to
// hear from the peer within the next five seconds.
void signal_close(HSteamNetConnection connection);

} // namespace gns_core
