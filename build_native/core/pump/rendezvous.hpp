// How peers' GNS find each other: signals from GNS go to their signalling, and those that arrive go to GNS, unless they
// must not. Serving thread only, and while GNS ends.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "connection.hpp"
#include "gns/p2p_signal.hpp"
#include "pump/attempts.hpp"
#include "pump/gns_handles.hpp"
#include "pump/peers.hpp"
#include "pump/requests.hpp"
#include "pump/signals.hpp"
#include "signalling.hpp"

class ISteamNetworkingConnectionSignaling;

namespace gns_core {

// A connection's way to its peer while there is no other. GNS's object has a reference as well, until GNS needs no more
// signals, which can be five seconds after the close.
struct SignalPath {
    std::shared_ptr<Signalling> signalling;
    Requests::Key key; // the peer (canonical), and its number of the connection, 0 if it is not known yet
    HSteamNetConnection gns_handle = k_HSteamNetConnection_Invalid;
    bool inbound = false;
    bool symmetric = false; // set if this end has begun it
    int32_t port = -1;      // inbound: here, otherwise the peer's
    int32_t peer_port = -1;
};

// A signal that has arrived, and was read.
struct ArrivedSignal {
    std::string sender; // canonical
    SignalFacts facts;
    std::string clean;
};

class Rendezvous {
public:
    Rendezvous(GnsHandles &handles, Peers &peers, Signals &signals, Attempts &attempts)
        : handles_(handles), peers_(peers), signals_(signals), attempts_(attempts) {}

    // Hands a signal to GNS.
    void receive(const std::shared_ptr<Signalling> &signalling, const ArrivedSignal &signal);

    // Makes GNS's end of a path. It is GNS's, and gives itself back.
    ISteamNetworkingConnectionSignaling *gns_end(const std::shared_ptr<SignalPath> &path);
    // Notes the path of a connection that GNS has made.
    void add(const std::shared_ptr<SignalPath> &path);
    std::shared_ptr<SignalPath> find(HSteamNetConnection gns_handle) const;
    // Returns the path of a connection from this peer to these ports that waits to be accepted, or nullptr.
    std::shared_ptr<SignalPath> find_waiting(const Signalling &signalling, const std::string &peer, int32_t port,
                                             int32_t peer_port) const;

private:
    class GnsEnd;
    class Request;

    bool may_pass(const std::shared_ptr<Signalling> &signalling, const ArrivedSignal &signal,
                  std::shared_ptr<SignalPath> *path);
    bool may_ask(Signalling &signalling, const ArrivedSignal &signal);
    bool has_symmetric_path(const ArrivedSignal &signal, bool inbound) const;
    void learn_number(const ArrivedSignal &signal);
    void send(const SignalPath &path, const void *data, int32_t size) noexcept;
    void released(const SignalPath &path) noexcept;

    GnsHandles &handles_;
    Peers &peers_;
    Signals &signals_;
    Attempts &attempts_;
    std::map<HSteamNetConnection, std::shared_ptr<SignalPath>> paths_;
    std::map<Requests::Key, std::shared_ptr<SignalPath>> by_peer_; // those that know the peer's number
};

// The connection no longer waits to be accepted.
void settle(const Connection &connection) noexcept;

} // namespace gns_core
