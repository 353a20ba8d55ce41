// Between GNS and the limits of its listen sockets.
#pragma once

#include <memory>

#include "admission.hpp"
#include "gns/gns_native.hpp"

namespace gns_core {

// Has GNS ask. While GNS comes up.
void attach_gatekeeper();
// From now on those that want to connect there must keep these limits; nullptr: none, also once the socket is closed.
void set_admission(HSteamListenSocket socket, std::shared_ptr<Admission> admission);

} // namespace gns_core
