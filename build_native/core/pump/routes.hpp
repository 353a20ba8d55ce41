// Reports that an established connection from peer to peer goes on over another route. Serving thread only.
#pragma once

#include <memory>
#include <vector>

#include "connection.hpp"
#include "gns/route_hook.hpp"
#include "pump/attempts.hpp"
#include "pump/gns_handles.hpp"
#include "pump/signals.hpp"

namespace gns_core {

class Routes final : public RouteHook {
public:
    Routes(const GnsHandles &handles, Signals &signals, Attempts &attempts)
        : handles_(handles), signals_(signals), attempts_(attempts) {}

    // Makes GNS report. While GNS starts.
    void attach();
    void selected(uint32_t connection) noexcept override;
    // Reports what has changed since the last call.
    void report();

private:
    void report(const std::shared_ptr<Connection> &connection, HSteamNetConnection gns_handle);

    const GnsHandles &handles_;
    Signals &signals_;
    Attempts &attempts_;
    std::vector<HSteamNetConnection> selected_;
};

} // namespace gns_core
