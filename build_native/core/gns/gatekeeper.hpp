// Connects GNS with the limits of its listen sockets.
#pragma once

#include <memory>

#include "admission.hpp"
#include "gns/gns_native.hpp"

namespace gns_core {

// Makes GNS ask. While GNS starts.
void attach_gatekeeper();
// Sets the limits for peers that want to connect to a listen socket; nullptr: none, also once the socket is closed.
void set_admission(HSteamListenSocket socket, std::shared_ptr<Admission> admission);

} // namespace gns_core
