// Exported: connections from peer to peer.
#include "api/calls.hpp"
#include "identity.hpp"
#include "signalling.hpp"

namespace {

using namespace gns_core;

constexpr int32_t most_arrived = 256;

// The body of an exported function that takes a signalling: body(the signalling), guarded.
template <class Body> int32_t with_signalling(uint64_t handle, const Body &body) noexcept {
    return guarded([&]() -> int32_t {
        const std::shared_ptr<Signalling> found = runtime().signallings.find(handle);
        return found ? body(found) : not_found();
    });
}

// Runs open(both ends' mailbox and signalling) on the pump.
template <class Open> int32_t open_p2p(uint64_t mailbox, uint64_t signalling, int32_t port, const Open &open) {
    return with_signalling(signalling, [&](const std::shared_ptr<Signalling> &found) -> int32_t {
        Opening::P2pEnd end;
        end.mailbox = runtime().mailboxes.find(mailbox);
        if (!end.mailbox) return not_found();
        end.signalling = found;
        end.port = port;
        return open(end);
    });
}

} // namespace

int32_t gns_signalling_create(uint64_t mailbox, uint64_t *signalling) {
    return guarded([&]() -> int32_t {
        const GnsAccess gns; // a stop that begins in the meantime finds the signalling
        if (!gns) return fail(GNS_ERROR_NOT_RUNNING);
        const auto created = std::make_shared<Signalling>();
        created->mailbox = runtime().mailboxes.find(mailbox);
        if (!created->mailbox) return fail(GNS_ERROR_BAD_HANDLE);
        *signalling = runtime().signallings.insert(created);
        return 0;
    });
}

int32_t gns_signalling_destroy(uint64_t signalling) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().signallings.remove(signalling);
        if (!found) return not_found();
        // Otherwise GNS is about to stop, and uses it no longer.
        on_pump([&]() -> int32_t {
            found->mailbox = nullptr;
            return 0;
        });
        return 0;
    });
}

int32_t gns_signalling_counters_get(uint64_t signalling, gns_signalling_counters *counters) {
    return with_signalling(signalling, [&](const std::shared_ptr<Signalling> &found) -> int32_t {
        const auto &from = found->counters;
        counters->sent = from.sent.load();
        counters->sent_dropped = from.sent_dropped.load();
        counters->received = from.received.load();
        counters->bad = from.bad.load();
        counters->flooded = from.flooded.load();
        counters->ends_dropped = from.ends_dropped.load();
        counters->stray = from.stray.load();
        counters->not_listening = from.not_listening.load();
        counters->repeated = from.repeated.load();
        counters->rate = from.rate.load();
        counters->pending = from.pending.load();
        return 0;
    });
}

int32_t gns_signal(uint64_t signalling, const char *sender, int32_t sender_size, const void *data, int32_t size) {
    return with_signalling(signalling, [&](const std::shared_ptr<Signalling> &found) -> int32_t {
        SteamNetworkingIdentity identity;
        if (!parse_identity(sender, sender_size, &identity)) return fail(GNS_ERROR_BAD_IDENTITY);
        const auto bad = [&](int32_t error, const std::string &text) {
            found->counters.bad.fetch_add(1);
            return fail(error, text);
        };
        if (size < 0) return fail(GNS_ERROR_BAD_VALUE);
        if (size > GNS_MAX_SIGNAL) return bad(GNS_ERROR_TOO_LARGE, "the signal is too large");
        auto signal = std::make_shared<ArrivedSignal>();
        signal->sender = text_of(identity);
        const std::string bytes(static_cast<const char *>(data), static_cast<size_t>(size));
        const std::string problem = read_signal(bytes, signal->sender, &signal->facts, &signal->clean);
        if (!problem.empty()) return bad(GNS_ERROR_BAD_SIGNAL, problem);
        const bool too_many = found->arrived.fetch_add(1) >= most_arrived;
        // It waits as long as the command lives, which may also be dropped.
        const std::shared_ptr<const ArrivedSignal> waiting(
            signal.get(), [signal, found](const ArrivedSignal *) { found->arrived.fetch_sub(1); });
        if (too_many) {
            found->counters.flooded.fetch_add(1);
            return fail(-k_EResultLimitExceeded, "too many signals wait already");
        }
        return queue_on_pump([found, waiting] { runtime().service.rendezvous.receive(found, *waiting); });
    });
}

int32_t gns_p2p_listen(uint64_t mailbox, uint64_t signalling, int32_t port, const gns_option *options,
                       int32_t option_count, const gns_peer_policy *policy, uint64_t *listen_socket) {
    return open_p2p(mailbox, signalling, port, [&](const Opening::P2pEnd &own) {
        return on_pump(
            [&] { return runtime().service.opening.listen_p2p(own, options, option_count, policy, listen_socket); });
    });
}

int32_t gns_p2p_connect(uint64_t mailbox, uint64_t signalling, const char *identity, int32_t identity_size,
                        int32_t port, const gns_option *options, int32_t option_count, const gns_peer_policy *policy,
                        uint64_t *connection) {
    return open_p2p(mailbox, signalling, port, [&](Opening::P2pEnd &to) -> int32_t {
        if (!parse_identity(identity, identity_size, &to.peer)) return fail(GNS_ERROR_BAD_IDENTITY);
        return on_pump(
            [&] { return runtime().service.opening.connect_p2p(to, options, option_count, policy, connection); });
    });
}
