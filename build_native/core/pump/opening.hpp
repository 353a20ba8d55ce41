// How listen sockets and connections begin in GNS. Serving thread only; results as those of the exported functions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "connection.hpp"
#include "pump/closing.hpp"
#include "pump/gns_handles.hpp"
#include "pump/peers.hpp"
#include "pump/rendezvous.hpp"
#include "pump/signals.hpp"

namespace gns_core {

class Opening {
public:
    // limits: those of the global scope.
    Opening(GnsHandles &handles, Peers &peers, Rendezvous &rendezvous, Closing &closing, Signals &signals,
            ListenSockets &listen_sockets, const QueueLimits &limits)
        : handles_(handles),
          peers_(peers),
          rendezvous_(rendezvous),
          closing_(closing),
          signals_(signals),
          listen_sockets_(listen_sockets),
          limits_(limits) {}

    int32_t listen(const std::shared_ptr<Mailbox> &mailbox, const gns_address &address, const gns_option *options,
                   int32_t count, const gns_limits *limits, const gns_peer_policy *policy, uint64_t *handle);
    int32_t connect(const std::shared_ptr<Mailbox> &mailbox, const gns_address &address, const gns_option *options,
                    int32_t count, const gns_peer_policy *policy, uint64_t *handle);
    int32_t pair(const std::shared_ptr<Mailbox> mailboxes[2], bool network,
                 const SteamNetworkingIdentity *identities[2], uint64_t *handles[2]);
    // The other end of a connection from peer to peer: a virtual port of a peer, or of this process.
    struct P2pEnd {
        std::shared_ptr<Mailbox> mailbox;
        std::shared_ptr<Signalling> signalling;
        SteamNetworkingIdentity peer{}; // that to connect to
        int32_t port;
    };
    int32_t listen_p2p(const P2pEnd &own, const gns_option *options, int32_t count, const gns_peer_policy *policy,
                       uint64_t *handle);
    int32_t connect_p2p(const P2pEnd &to, const gns_option *options, int32_t count, const gns_peer_policy *policy,
                        uint64_t *handle);
    static int32_t accept(const std::shared_ptr<Connection> &connection, const std::shared_ptr<Mailbox> &mailbox);

private:
    struct Wish;

    static int32_t check_certificate();
    int32_t make_in_gns(const std::function<bool()> &make);
    int32_t publish(const std::shared_ptr<ListenSocket> &socket, uint64_t *handle);
    int32_t read(const P2pEnd &end, const gns_option *options, int32_t count, const gns_peer_policy *policy,
                 Wish *wish) const;
    int32_t connect_anew(const P2pEnd &to, const Wish &wish, const std::shared_ptr<Connection> &connection);
    int32_t take_over(const std::shared_ptr<SignalPath> &path, const Wish &wish,
                      const std::shared_ptr<Connection> &connection);

    GnsHandles &handles_;
    Peers &peers_;
    Rendezvous &rendezvous_;
    Closing &closing_;
    Signals &signals_;
    ListenSockets &listen_sockets_;
    const QueueLimits &limits_;
};

} // namespace gns_core
