// The C interface as C++ sees it: the functions of gns_core.h and its continuations are the only exported symbols.
#pragma once

#include <cstdint>

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
extern "C" {
#include "gns_core.h"
#include "gns_core_streams.h"
#include "gns_core_certificates.h"
#include "gns_core_p2p.h"
}
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
