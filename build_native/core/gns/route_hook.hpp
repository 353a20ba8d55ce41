// The mended GNS reports that ICE has selected a route for a connection (cmake/gns_mended_route.cmake): nothing else
// shows that an established connection goes on over another one. Included by GNS's own source, so it depends on neither
// side. Called by the thread that polls, with GNS's global lock and the connection's held; must not throw.
#pragma once

#include <cstdint>

namespace gns_core {

class RouteHook {
public:
    virtual void selected(uint32_t connection) noexcept = 0;

protected:
    ~RouteHook() = default;
};

// Defined by the mended GNS; nullptr: no one is told.
extern RouteHook *route_hook;

} // namespace gns_core
