# The one mended place of GNS. The buckets of its simulated rate limit (fake_rate_limit_...) start with INT_MAX bytes and
# are first looked after when they are empty: unmended, a limit begins after 2 GiB. Empty at the start, they are filled,
# up to the burst, for the first packet. The copy is compiled in place of the original, which stays as it was checked.
set(GNS_SOCKETTHREAD ${GNS_SOURCE}/src/steamnetworkingsockets/clientlib/steamnetworkingsockets_socketthread.cpp)
set(GNS_SOCKETTHREAD_MENDED ${CMAKE_CURRENT_BINARY_DIR}/gns_mended/steamnetworkingsockets_socketthread.cpp)
file(READ ${GNS_SOCKETTHREAD} source)
string(REPLACE "_tokens = (double)INT_MAX;" "_tokens = 0.0;" source "${source}")
file(WRITE ${GNS_SOCKETTHREAD_MENDED}.new "${source}")
configure_file(${GNS_SOCKETTHREAD_MENDED}.new ${GNS_SOCKETTHREAD_MENDED} COPYONLY) # a new time only for new contents
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${GNS_SOCKETTHREAD})

get_target_property(sources GameNetworkingSockets_s SOURCES)
list(TRANSFORM sources REPLACE "^.*/steamnetworkingsockets_socketthread\\.cpp$" ${GNS_SOCKETTHREAD_MENDED})
set_property(TARGET GameNetworkingSockets_s PROPERTY SOURCES ${sources})
cmake_path(GET GNS_SOCKETTHREAD PARENT_PATH folder)
set_source_files_properties(${GNS_SOCKETTHREAD_MENDED}
  TARGET_DIRECTORY GameNetworkingSockets_s PROPERTIES INCLUDE_DIRECTORIES ${folder})
