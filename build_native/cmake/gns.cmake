# Builds GNS by its own CMake files, as the static library GameNetworkingSockets_s.
set(BUILD_STATIC_LIB ON)
set(BUILD_SHARED_LIB OFF)
set(ENABLE_ICE ON)
if(WIN32)
  set(USE_CRYPTO BCrypt CACHE STRING "")
endif()
if(GNS_PY_MODE STREQUAL "vendored")
  # GNS asks for packages; these folders provide the targets that are built here.
  list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR}/packages)
  set(Protobuf_DIR ${CMAKE_CURRENT_LIST_DIR}/packages)
  set(OPENSSL_NEW_ENOUGH TRUE) # GNS would find out by linking a library that is not built yet
else()
  # The distribution's protoc belongs to its library; the first in PATH is the one that pip installed for vendored mode.
  if(GNS_PY_PROTOC)
    set(Protobuf_PROTOC_EXECUTABLE ${GNS_PY_PROTOC})
  else()
    find_program(Protobuf_PROTOC_EXECUTABLE protoc
      NO_PACKAGE_ROOT_PATH NO_CMAKE_PATH NO_CMAKE_ENVIRONMENT_PATH NO_SYSTEM_ENVIRONMENT_PATH)
  endif()
  find_package(OpenSSL QUIET)
  if(NOT OPENSSL_FOUND OR NOT Protobuf_PROTOC_EXECUTABLE)
    message(FATAL_ERROR "GNS_PY_MODE=system needs OpenSSL, protobuf and protoc of the distribution "
      "(Debian: apt install libssl-dev libprotobuf-dev protobuf-compiler)")
  endif()
endif()
add_subdirectory(${GNS_SOURCE} gns EXCLUDE_FROM_ALL)
include(${CMAKE_CURRENT_LIST_DIR}/gns_mended.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/gns_changed.cmake)

# Its interface is for the core only; on Windows it would be exported, and nothing else would be.
target_compile_definitions(GameNetworkingSockets_s PRIVATE STEAMNETWORKINGSOCKETS_STATIC_LINK)
# In all builds GNS would keep a list of the locks that each thread holds, to check their order and to report those held for
# long: 4 to 6 % of the CPU of sending and receiving. The order is checked where the core's tests run, outside a release.
target_compile_definitions(GameNetworkingSockets_s PRIVATE $<$<CONFIG:Release>:STEAMNETWORKINGSOCKETS_LOCK_DEBUG_LEVEL=0>)
# Third-party warnings hide ours.
target_compile_options(GameNetworkingSockets_s PRIVATE -w)
# GNS's version texts contain the time of the compilation, which would make two builds differ.
set_source_files_properties(${GNS_MENDED}/clientlib/csteamnetworkingsockets.cpp
  TARGET_DIRECTORY GameNetworkingSockets_s
  PROPERTIES COMPILE_OPTIONS "-Wno-builtin-macro-redefined;-D__DATE__=\"reproducible\";-D__TIME__=\"build\"")
if(MINGW)
  # Where file names are case-sensitive, this library's name is in lower case.
  foreach(property LINK_LIBRARIES INTERFACE_LINK_LIBRARIES)
    get_target_property(libraries GameNetworkingSockets_s ${property})
    list(TRANSFORM libraries REPLACE "^Iphlpapi$" iphlpapi)
    set_target_properties(GameNetworkingSockets_s PROPERTIES ${property} "${libraries}")
  endforeach()
endif()

if(GNS_PY_MODE STREQUAL "vendored")
  if(NOT WIN32)
    add_dependencies(GameNetworkingSockets_s openssl_libcrypto) # its generated headers
  endif()
  # The lite runtime's headers include less than the full ones', and its messages keep unknown fields as a string.
  set(lite ${CMAKE_CURRENT_LIST_DIR}/protobuf)
  target_compile_options(GameNetworkingSockets_s PRIVATE
    "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include ${lite}/lite_includes.h>")
  set_source_files_properties(${GNS_MENDED}/steamnetworkingsockets_certs.cpp
    TARGET_DIRECTORY GameNetworkingSockets_s
    PROPERTIES COMPILE_OPTIONS "-include;${lite}/lite_unknown_fields.h")
endif()
