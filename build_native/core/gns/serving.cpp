// This file sees GNS's own classes, and is compiled with GNS's settings.
#include <steamnetworkingsockets_connections.h>

#include "gns/serving.hpp"

namespace SteamNetworkingSocketsLib {
int ServicePollDescriptor();
void ServiceThinkers();
}

namespace gns_core {

int packet_descriptor() { return SteamNetworkingSocketsLib::ServicePollDescriptor(); }

int64_t next_think_us() { return SteamNetworkingSocketsLib::IThinker::Thinker_GetNextScheduledThinkTime(); }

void think() {
    const SteamNetworkingSocketsLib::SteamNetworkingGlobalLock lock("gns_core think");
    SteamNetworkingSocketsLib::ServiceThinkers();
}

} // namespace gns_core
