# The mended place that tells of routes. Included by gns_mended.cmake.

# An established connection may get a better route later, a direct one instead of a relay for example. A program that shows or
# counts such things is told (core/gns/route_hook.hpp): unmended, it would have to ask each connection again and again.
set(ice clientlib/steamnetworkingsockets_ice_client.cpp)
set(changed "Connection().TransportEndToEndConnectivityChanged( this, SteamNetworkingSockets_GetLocalTimestamp() );")
gns_mend(${ice}
  "#include \"crypto.h\"" [=[#include "crypto.h"
#include <gns/route_hook.hpp>

gns_core::RouteHook *gns_core::route_hook = nullptr;
]=]
  "${changed}" "${changed}\n    if ( gns_core::route_hook )\n        gns_core::route_hook->selected( Connection().m_hConnectionSelf );")
set_property(SOURCE ${CMAKE_CURRENT_BINARY_DIR}/gns_mended/${ice} TARGET_DIRECTORY GameNetworkingSockets_s
  APPEND PROPERTY INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/core)
