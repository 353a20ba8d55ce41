// Looks into GNS's signals for connections from peer to peer (CMsgSteamNetworkingP2PRendezvous of its .proto file), and
// takes out of them what no honest peer sends, or what a signal must not be able to do.
#pragma once

#include <cstdint>
#include <string>

namespace gns_core {

struct SignalFacts {
    uint32_t from = 0; // the sender's number of the connection
    uint32_t to = 0;   // this end's, which is GNS's handle; 0: the sender does not know it yet
    bool request = false;
    bool close = false;
    bool ice = false;  // says that ICE is on; GNS gives the route up if a signal does not
    int32_t port = -1; // of a request: the virtual port here
    int32_t peer_port = -1;
};

// Reads a signal that has arrived from `sender` (canonical): "", or why it is not one of that sender's. *clean: the
// same without plain messages and without more candidates than a connection may have. One that does not say who it is
// from, as the rejections of GNS without a core, is from its sender.
std::string read_signal(const std::string &signal, const std::string &sender, SignalFacts *facts, std::string *clean);

// Takes out of a signal that read_signal has cleaned what would disturb the connection that it is for: a request,
// unless the peer has made the connection, and for an established one, what would change how its packets are checked.
std::string without_disturbance(const std::string &signal, bool drop_request, bool established);

// Completes a rejection, in which GNS leaves out what it demands of one that it receives. reason 0: as it is.
std::string complete_rejection(const std::string &signal, const std::string &own_identity, int32_t reason,
                               const std::string &text);

} // namespace gns_core
