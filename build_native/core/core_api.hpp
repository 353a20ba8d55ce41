// The C interface as C++ sees it: the functions of gns_core.h are the only exported symbols.
#pragma once

#include <cstdint>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
extern "C" {
#include "gns_core.h"
}
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
