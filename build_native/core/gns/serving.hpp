// Reaches into GNS for everything that serving it in turns needs.
#pragma once

#include <cstdint>

namespace gns_core {

// The descriptor that is readable while packets wait on any of GNS's sockets; -1 where the system has none for all.
int packet_descriptor();
// When GNS wants to be served next, packets aside; INT64_MAX: never. Any thread, while GNS runs.
int64_t next_think_us();
// Does what is due in GNS, without a look at the sockets. Serving thread.
void think();

} // namespace gns_core
