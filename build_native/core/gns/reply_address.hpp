// Which of the host's addresses a socket that is bound to all of them answers from: the one that it was called at. Left
// to itself the system answers from the address that its routes prefer, and a peer that called another one takes no
// notice. Called by GNS's own socketthread.cpp, in the places that gns_mended.cmake mends, under GNS's global lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include <tier0/platform_sockets.h>
#include <tier1/netadr.h>

namespace gns_core {

#ifdef _WIN32
using Socket = ::SOCKET;
using SocketMessage = WSAMSG;
#else
using Socket = int;
using SocketMessage = msghdr;
#endif

// One of the host's own addresses, IPv4 as ::ffff:a.b.c.d; all zero is none in particular: the system chooses.
struct OwnAddress {
    unsigned char ip[16] = {};
    uint32_t interface_index = 0; // told for link-local addresses only, which are nothing without it

    bool any() const;
};

// What a control buffer must hold: the type of service, and the address in both families' forms.
constexpr size_t control_bytes = 256;

// One for each socket of GNS's.
class ReplyAddress {
public:
    // For a socket that is bound to all addresses; without it, everything else here does nothing.
    void ask(Socket socket, bool ipv6);

    // What the socket has just received, and from where.
    void received(SocketMessage &message, const netadr_t &from);
    // The same for a packet that was held back, with what answer() told about its peer then.
    void received(const OwnAddress &at, const netadr_t &from);

    // A peer's address becomes a connection's, whose packets go out from where its request came in, whatever comes
    // later: the sender of a later packet may be forged.
    void keep(const netadr_t &peer) noexcept;
    void forget(const netadr_t &peer);

    // Where to send from: a connection's kept address, or the one that the last sender of all called.
    OwnAddress answer(const netadr_t &peer) const;

private:
    bool asked_ = false;
    netadr_t last_peer_;
    OwnAddress last_;
    std::unordered_map<netadr_t, OwnAddress, netadr_t::Hash> kept_; // one for each connection, at most
};

// Sends as the system's own function does, but from this address. If that cannot be, as the host may have lost it
// since, the system chooses.
#ifdef _WIN32
int send_from(const OwnAddress &from, Socket socket, SocketMessage *message, DWORD flags, DWORD *sent,
              WSAOVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine);
#else
ssize_t send_from(const OwnAddress &from, Socket socket, const SocketMessage *message, int flags);
#endif

} // namespace gns_core
