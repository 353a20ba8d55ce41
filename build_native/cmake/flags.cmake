# Settings for everything that is compiled here.
include(CheckLinkerFlag)

set(CMAKE_EXPORT_COMPILE_COMMANDS ON) # tests/support/native.py compiles one file this way; clang-tidy reads them
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(THREADS_PREFER_PTHREAD_FLAG ON)

if(NOT MSVC)
  add_compile_options(-ffunction-sections -fdata-sections)
  # GNS's asserts contain __FILE__: keep the build machine's paths out of the binary.
  set(GNS_PY_PREFIX_MAP -ffile-prefix-map=${GNS_PY_ROOT}/=)
  add_compile_options(${GNS_PY_PREFIX_MAP})
endif()

if(MINGW)
  # Windows 10, but not its newest: for that abseil includes headers of WinRT, which mingw-w64 does not have.
  add_compile_definitions(_WIN32_WINNT=0x0a00 NTDDI_VERSION=0x0a000000)
  # When a process exits, a library's destructors run after all other threads have been ended, wherever they were: one that
  # waits for a lock of theirs waits forever. They free nothing that the process does not free anyway.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fc++-static-destructors=thread-local>)
endif()

if(GNS_PY_SANITIZE)
  # GNS is compiled without RTTI, which -fsanitize=vptr would need.
  add_compile_options(-fsanitize=${GNS_PY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize=vptr)
  add_link_options(-fsanitize=${GNS_PY_SANITIZE})
endif()
