// Exported: the versions of everything inside. The build passes what no header contains, and recompiles only this file.
#include "core_api.hpp"

#define GNS_PY_QUOTE_IT(number) #number
#define GNS_PY_QUOTE(macro) GNS_PY_QUOTE_IT(macro)

#if defined(__clang__)
// From numbers: __clang_version__ may contain more, or end with a space.
#define GNS_PY_COMPILER                                                                                                \
    "clang " GNS_PY_QUOTE(__clang_major__) "." GNS_PY_QUOTE(__clang_minor__) "." GNS_PY_QUOTE(__clang_patchlevel__)
#elif defined(__GNUC__)
#define GNS_PY_COMPILER "gcc " __VERSION__
#else
#define GNS_PY_COMPILER "unknown"
#endif

const gns_build_info *gns_build(void) {
    static const gns_build_info info = {
        GNS_PY_VERSION,    GNS_PY_GNS_VERSION, GNS_PY_PROTOBUF_VERSION, GNS_PY_CRYPTO_VERSION,
        GNS_PY_BUILD_MODE, GNS_PY_BUILD_TYPE,  GNS_PY_COMPILER,         GNS_PY_PLATFORM,
    };
    return &info;
}
