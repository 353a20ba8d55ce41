// How listen sockets and connections begin in GNS. Serving thread only; results as those of the exported functions.
#pragma once

#include <cstdint>
#include <memory>

#include "connection.hpp"
#include "pump/closing.hpp"
#include "pump/gns_handles.hpp"

namespace gns_core {

class Opening {
public:
    // limits: those of the global scope.
    Opening(GnsHandles &handles, Closing &closing, ListenSockets &listen_sockets, const QueueLimits &limits)
        : handles_(handles), closing_(closing), listen_sockets_(listen_sockets), limits_(limits) {}

    int32_t listen(const std::shared_ptr<Mailbox> &mailbox, const gns_address &address, const gns_option *options,
                   int32_t count, const gns_limits *limits, const gns_peer_policy *policy, uint64_t *handle);
    int32_t connect(const std::shared_ptr<Mailbox> &mailbox, const gns_address &address, const gns_option *options,
                    int32_t count, const gns_peer_policy *policy, uint64_t *handle);
    int32_t pair(const std::shared_ptr<Mailbox> mailboxes[2], bool network,
                 const SteamNetworkingIdentity *identities[2], uint64_t *handles[2]);
    static int32_t accept(const std::shared_ptr<Connection> &connection, const std::shared_ptr<Mailbox> &mailbox);

private:
    template <class Make> int32_t make_in_gns(const Make &make);

    GnsHandles &handles_;
    Closing &closing_;
    ListenSockets &listen_sockets_;
    const QueueLimits &limits_;
};

} // namespace gns_core
