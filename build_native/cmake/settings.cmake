# A setting is a -D variable, otherwise an environment variable, otherwise its default.
function(gns_py_setting name default)
  if(DEFINED CACHE{${name}})
    return()
  endif()
  if("$ENV{${name}}" STREQUAL "")
    set(${name} "${default}" PARENT_SCOPE)
  else()
    set(${name} "$ENV{${name}}" PARENT_SCOPE)
  endif()
endfunction()

gns_py_setting(GNS_PY_MODE vendored)
gns_py_setting(GNS_PY_GNS_SOURCE "")
gns_py_setting(GNS_PY_PROTOC "")
gns_py_setting(GNS_PY_SANITIZE "")
gns_py_setting(GNS_PY_BUILD_TESTS OFF)

if(NOT GNS_PY_MODE MATCHES "^(vendored|system)$")
  message(FATAL_ERROR "GNS_PY_MODE=${GNS_PY_MODE}: choose vendored or system")
endif()
if(NOT GNS_PY_SANITIZE MATCHES "^(|address,undefined|thread)$")
  message(FATAL_ERROR "GNS_PY_SANITIZE=${GNS_PY_SANITIZE}: choose address,undefined or thread")
endif()

# The results of find_package for one mode would silently be used for the other.
if(NOT GNS_PY_MODE STREQUAL "${GNS_PY_CONFIGURED_MODE}" AND DEFINED CACHE{GNS_PY_CONFIGURED_MODE})
  message(FATAL_ERROR "${CMAKE_BINARY_DIR} was configured with GNS_PY_MODE=${GNS_PY_CONFIGURED_MODE}: "
    "delete it, or use another build folder for GNS_PY_MODE=${GNS_PY_MODE}")
endif()
set(GNS_PY_CONFIGURED_MODE ${GNS_PY_MODE} CACHE INTERNAL "the mode of this build folder")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
