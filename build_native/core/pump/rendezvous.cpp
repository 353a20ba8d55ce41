#include "pump/rendezvous.hpp"

#include <utility>

#include <steam/steamnetworkingcustomsignaling.h>

#include "gns/p2p_connection.hpp"
#include "identity.hpp"
#include "mailbox.hpp"
#include "outgoing_signals.hpp"

namespace gns_core {

namespace {

std::string own_identity() {
    SteamNetworkingIdentity identity;
    SteamNetworkingSockets()->GetIdentity(&identity);
    return text_of(identity);
}

} // namespace

// GNS's end of a path. GNS calls it with its locks held, and is compiled without exceptions.
class Rendezvous::GnsEnd final : public ISteamNetworkingConnectionSignaling {
public:
    GnsEnd(Rendezvous &owner, std::shared_ptr<SignalPath> path) : owner_(owner), path_(std::move(path)) {}

    // "False" would end the connection. Signals may be lost: GNS sends them again.
    bool SendSignal(HSteamNetConnection, const SteamNetConnectionInfo_t &, const void *data, int size) override {
        owner_.send(*path_, data, size);
        return true;
    }
    void Release() override {
        owner_.released(*path_);
        delete this;
    }

private:
    ~GnsEnd() = default;

    Rendezvous &owner_;
    const std::shared_ptr<SignalPath> path_;
};

// GNS's questions about one signal. Called with its locks held, and must not throw.
class Rendezvous::Request final : public ISteamNetworkingSignalingRecvContext {
public:
    Request(Rendezvous &owner, const std::shared_ptr<Signalling> &signalling, const ArrivedSignal &signal)
        : owner_(owner), signalling_(signalling), signal_(signal) {}

    ISteamNetworkingConnectionSignaling *OnConnectRequest(HSteamNetConnection gns_handle,
                                                          const SteamNetworkingIdentity &, int) override {
        ISteamNetworkingConnectionSignaling *made = nullptr;
        owner_.attempts_.run(nullptr, [&] { // without an answer it is as if the signal had been lost
            auto path = std::make_shared<SignalPath>();
            path->signalling = signalling_;
            path->key = {signal_.sender, signal_.facts.from};
            path->gns_handle = gns_handle;
            path->inbound = true;
            path->port = signal_.facts.port;
            path->peer_port = signal_.facts.peer_port;
            try {
                owner_.add(path);
                signalling_->requests.begin(path->key);
                made = owner_.gns_end(path);
            } catch (...) {
                signalling_->requests.drop(path->key);
                owner_.released(*path);
                throw;
            }
        });
        return made;
    }

    void SendRejectionSignal(const SteamNetworkingIdentity &peer, const void *data, int size) override {
        owner_.attempts_.run(nullptr, [&] {
            const Peers::Refusal refusal = owner_.peers_.take_refusal();
            const std::string signal =
                complete_rejection(std::string(static_cast<const char *>(data), static_cast<size_t>(size)),
                                   own_identity(), refusal.reason, refusal.text);
            owner_.signals_.add(
                push_signal(signalling_, text_of(peer), signal.data(), static_cast<uint32_t>(signal.size())));
        });
    }

private:
    Rendezvous &owner_;
    const std::shared_ptr<Signalling> &signalling_;
    const ArrivedSignal &signal_;
};

void Rendezvous::receive(const std::shared_ptr<Signalling> &signalling, const ArrivedSignal &signal) {
    if (!signalling->mailbox) return; // it was destroyed
    std::shared_ptr<SignalPath> path;
    if (!may_pass(signalling, signal, &path)) return;
    std::string bytes = signal.clean;
    if (path) {
        const P2pState state = p2p_state(path->gns_handle);
        const bool established = state.phase == Phase::established;
        if (established && (signal.facts.close || !signal.facts.ice)) {
            signalling->counters.ends_dropped.fetch_add(1);
            return;
        }
        const bool odd_request = signal.facts.request && !state.peer_asked;
        if (established || odd_request) bytes = without_disturbance(bytes, odd_request, established);
    }
    peers_.take_refusal(); // an older one
    Request request(*this, signalling, signal);
    signalling->counters.received.fetch_add(1);
    SteamNetworkingSockets()->ReceivedP2PCustomSignal(bytes.data(), static_cast<int>(bytes.size()), &request);
    if (!path) learn_number(signal);
    free_closed_ports(); // it may have given up a route
}

bool Rendezvous::may_pass(const std::shared_ptr<Signalling> &signalling, const ArrivedSignal &signal,
                          std::shared_ptr<SignalPath> *path) {
    const SignalFacts &facts = signal.facts;
    const auto of_peer = by_peer_.find({signal.sender, facts.from});
    if (facts.to) {
        *path = find(facts.to);
    } else if (of_peer != by_peer_.end()) {
        *path = of_peer->second;
    } else if (facts.request) {
        return may_ask(*signalling, signal);
    }
    const bool is_ours = *path && (*path)->signalling == signalling && (*path)->key.first == signal.sender;
    const bool has_other_number = is_ours && (*path)->key.second && (*path)->key.second != facts.from;
    const bool is_others_number = is_ours && of_peer != by_peer_.end() && of_peer->second != *path;
    if (!is_ours || has_other_number || is_others_number) {
        signalling->counters.stray.fetch_add(1);
        return false;
    }
    if (!(*path)->key.second) {
        (*path)->key.second = facts.from;
        by_peer_[(*path)->key] = *path;
    }
    return true;
}

bool Rendezvous::may_ask(Signalling &signalling, const ArrivedSignal &signal) {
    const auto socket = signal.facts.port < 0 ? nullptr : handles_.find_listen_socket_p2p(signal.facts.port);
    const bool listens = socket && socket->signalling.get() == &signalling;
    if (!listens && !has_symmetric_path(signal, false)) {
        signalling.counters.not_listening.fetch_add(1);
        return false;
    }
    // GNS would take the older connection for one that this end has begun.
    if (listens && GnsHandles::is_symmetric(*socket) && has_symmetric_path(signal, true)) {
        signalling.counters.repeated.fetch_add(1);
        return false;
    }
    switch (signalling.requests.ask({signal.sender, signal.facts.from}, now_us())) {
    case Requests::Answer::known:
    case Requests::Answer::fresh: return true;
    case Requests::Answer::repeated: signalling.counters.repeated.fetch_add(1); break;
    case Requests::Answer::rate: signalling.counters.rate.fetch_add(1); break;
    case Requests::Answer::pending: signalling.counters.pending.fetch_add(1); break;
    }
    return false;
}

// Returns whether there is a living connection with the same peer and ports, which this end has begun or not.
bool Rendezvous::has_symmetric_path(const ArrivedSignal &signal, bool inbound) const {
    for (const auto &[gns_handle, path] : paths_) {
        if (path->inbound != inbound || path->key.first != signal.sender || !(inbound || path->symmetric)) continue;
        const bool same_ports = inbound ? path->port == signal.facts.port && path->peer_port == signal.facts.peer_port
                                        : path->port == signal.facts.peer_port && path->peer_port == signal.facts.port;
        const Phase phase = p2p_state(gns_handle).phase;
        if (same_ports && phase != Phase::gone && phase != Phase::over) return true;
    }
    return false;
}

// A request may have made GNS change the role of a connection that this end has begun.
void Rendezvous::learn_number(const ArrivedSignal &signal) {
    for (const auto &[gns_handle, path] : paths_) {
        if (path->inbound || path->key.second || path->key.first != signal.sender) continue;
        if (p2p_state(gns_handle).peer_number != signal.facts.from) continue;
        path->key.second = signal.facts.from;
        by_peer_[path->key] = path;
        return;
    }
}

ISteamNetworkingConnectionSignaling *Rendezvous::gns_end(const std::shared_ptr<SignalPath> &path) {
    return new GnsEnd(*this, path);
}

void Rendezvous::add(const std::shared_ptr<SignalPath> &path) {
    paths_[path->gns_handle] = path;
    if (!path->key.second) return;
    try {
        by_peer_[path->key] = path;
    } catch (...) {
        paths_.erase(path->gns_handle);
        throw;
    }
}

std::shared_ptr<SignalPath> Rendezvous::find(HSteamNetConnection gns_handle) const {
    const auto found = paths_.find(gns_handle);
    return found == paths_.end() ? nullptr : found->second;
}

std::shared_ptr<SignalPath> Rendezvous::find_waiting(const Signalling &signalling, const std::string &peer,
                                                     int32_t port, int32_t peer_port) const {
    for (const auto &[gns_handle, path] : paths_)
        if (path->inbound && path->signalling.get() == &signalling && path->key.first == peer && path->port == port &&
            path->peer_port == peer_port && p2p_state(gns_handle).phase == Phase::connecting)
            return path;
    return nullptr;
}

void settle(const Connection &connection) noexcept {
    if (connection.path) connection.path->signalling->requests.settle(connection.path->key);
}

void Rendezvous::send(const SignalPath &path, const void *data, int32_t size) noexcept {
    attempts_.run(nullptr, [&] {
        signals_.add(push_signal(path.signalling, path.key.first, data, static_cast<uint32_t>(size)));
    });
}

void Rendezvous::released(const SignalPath &path) noexcept {
    const auto found = paths_.find(path.gns_handle);
    if (found != paths_.end() && found->second.get() == &path) {
        const std::shared_ptr<SignalPath> keep = found->second;
        paths_.erase(found);
        const auto by_peer = by_peer_.find(path.key);
        if (by_peer != by_peer_.end() && by_peer->second == keep) by_peer_.erase(by_peer);
    }
    if (path.inbound) path.signalling->requests.end(path.key, now_us());
}

} // namespace gns_core
