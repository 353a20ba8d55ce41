// Lets a socket that is bound to all of the host's addresses answer from the one that a packet was sent to. Left to
// itself, the system answers from the address that its routes prefer, and a peer that had used another one ignores the
// answer. Called by GNS's own socketthread.cpp, in the places that gns_mended.cmake mends, under GNS's global lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include <tier0/platform_sockets.h>
#include <tier1/netadr.h>

#include "gns/packet_batch.hpp"

namespace gns_core {

#ifdef _WIN32
using Socket = ::SOCKET;
using SocketMessage = WSAMSG;
#else
using Socket = int;
using SocketMessage = msghdr;
#endif

// One of the host's own addresses, IPv4 as ::ffff:a.b.c.d; all zero: none in particular, so the system chooses.
struct OwnAddress {
    unsigned char ip[16] = {};
    uint32_t interface_index = 0; // set only for link-local addresses, which mean nothing without it

    bool any() const;
};

// One for each of GNS's sockets.
class ReplyAddress {
public:
    // For a socket that is bound to all addresses; without it, everything else here does nothing.
    void ask(Socket socket, bool ipv6);

    // The socket has just received this message from there.
    void received(SocketMessage &message, const netadr_t &from);
    // It has received a packet that was held back since; at: what answer() returned for its peer at that time.
    void received(const OwnAddress &at, const netadr_t &from);

    // A peer gets a connection, whose packets go out from the address that its request arrived at, whatever arrives
    // later: the sender of a later packet may be forged.
    void keep(const netadr_t &peer) noexcept;
    void forget(const netadr_t &peer);

    // Returns where to send from: a connection's kept address, or the one that the most recent sender used.
    OwnAddress answer(const netadr_t &peer) const;

private:
    bool asked_ = false;
    netadr_t last_peer_;
    OwnAddress last_;
    std::unordered_map<netadr_t, OwnAddress, netadr_t::Hash> kept_; // one for each connection, at most
};

// Sends like the system's own function, but from this address. If that is impossible, because the host may have lost
// the address since, the system chooses.
#ifdef _WIN32
int send_from(const OwnAddress &from, Socket socket, SocketMessage *message, DWORD flags, DWORD *sent,
              WSAOVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
#else
ssize_t send_from(const OwnAddress &from, Socket socket, const SocketMessage *message, int flags);
#endif

} // namespace gns_core
