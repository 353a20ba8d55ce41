#include "gns/gatekeeper.hpp"

#include <map>
#include <utility>
#include <vector>

#include "gns/admission_hook.hpp"
#include "gns/end_early.hpp"

namespace gns_core {

namespace {

// All of it runs under GNS's global lock. If memory runs out in here, a peer is not let in, or is not counted.
class Gatekeeper : public AdmissionHook {
public:
    Answer request(uint32_t listen_socket, const uint8_t *ip, int64_t now_us) noexcept override {
        for (const HSteamNetConnection each : leaving_) drop_waiting(each);
        leaving_.clear();
        const auto found = sockets_.find(listen_socket);
        if (found == sockets_.end()) return {true, nullptr, 0};
        try {
            const Admission::Decision decision = found->second->request(ip, now_us);
            if (decision.gives_way)
                end_connection(decision.gives_way, "nothing was heard from it, and others wanted its place");
            return {decision.refusal == Refusal::none, decision.tell ? refusal_text(decision.refusal) : nullptr,
                    GNS_END_RATE_LIMITED};
        } catch (...) {
            return {false, nullptr, 0};
        }
    }

    void begin(uint32_t listen_socket, uint32_t connection, const uint8_t *ip, int64_t now_us) noexcept override {
        const auto found = sockets_.find(listen_socket);
        if (found == sockets_.end()) return;
        try {
            leaving_.reserve(connections_.size() + 1); // then none of them needs memory to leave
            const auto place = connections_.emplace(connection, found->second).first;
            try {
                found->second->begin(connection, ip, now_us);
            } catch (...) {
                connections_.erase(place);
            }
        } catch (...) {
        }
    }

    void heard(uint32_t connection) noexcept override {
        const auto found = connections_.find(connection);
        if (found != connections_.end()) found->second->heard(connection);
    }

    void end(uint32_t connection, bool lingers) noexcept override {
        const auto found = connections_.find(connection);
        if (found == connections_.end()) return;
        // Not at once: this connection's lock is held, and GNS never takes two.
        if (const HSteamNetConnection other = found->second->end(connection, lingers)) leaving_.push_back(other);
    }

    void forget(uint32_t connection) noexcept override {
        const auto found = connections_.find(connection);
        if (found == connections_.end()) return;
        found->second->forget(connection);
        connections_.erase(found);
    }

    void set(HSteamListenSocket socket, std::shared_ptr<Admission> admission) {
        if (admission)
            sockets_[socket] = std::move(admission);
        else
            sockets_.erase(socket);
    }

private:
    std::map<HSteamListenSocket, std::shared_ptr<Admission>> sockets_;
    std::map<HSteamNetConnection, std::shared_ptr<Admission>> connections_; // those of these sockets
    std::vector<HSteamNetConnection> leaving_; // dropped at the next request, when no connection is locked
};

Gatekeeper &gatekeeper() {
    static Gatekeeper *const instance = new Gatekeeper; // never destroyed: GNS may outlive everything
    return *instance;
}

} // namespace

void attach_gatekeeper() {
    const GlobalLock lock;
    admission_hook = &gatekeeper();
}

void set_admission(HSteamListenSocket socket, std::shared_ptr<Admission> admission) {
    const GlobalLock lock;
    gatekeeper().set(socket, std::move(admission));
}

} // namespace gns_core
