# Found by GNS's find_package(Protobuf CONFIG) in vendored mode; protobuf::libprotobuf comes from ../protobuf.
set(Protobuf_VERSION ${PROTOBUF_VERSION})

add_executable(protobuf::protoc IMPORTED)
set_target_properties(protobuf::protoc PROPERTIES IMPORTED_LOCATION ${PROTOC})

# The interface is that of CMake's FindProtobuf. With --cpp_out=lite: the generated code needs the lite runtime only.
function(protobuf_generate_cpp sources headers)
  set(made_sources "")
  set(made_headers "")
  foreach(proto IN LISTS ARGN)
    cmake_path(ABSOLUTE_PATH proto OUTPUT_VARIABLE path)
    cmake_path(GET path PARENT_PATH folder)
    cmake_path(GET path STEM name)
    set(output ${CMAKE_CURRENT_BINARY_DIR}/${name}.pb)
    add_custom_command(OUTPUT ${output}.cc ${output}.h
      COMMAND ${PROTOC} --cpp_out=lite:${CMAKE_CURRENT_BINARY_DIR} -I ${folder} ${path}
      DEPENDS ${path} ${PROTOC}
      COMMENT "Generating ${name}.pb.cc"
      VERBATIM)
    list(APPEND made_sources ${output}.cc)
    list(APPEND made_headers ${output}.h)
  endforeach()
  set(${sources} ${made_sources} PARENT_SCOPE)
  set(${headers} ${made_headers} PARENT_SCOPE)
endfunction()
