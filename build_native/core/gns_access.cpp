#include "gns_access.hpp"

namespace gns_core {

GnsLife &gns_life() {
    static GnsLife *const life = new GnsLife;
    return *life;
}

} // namespace gns_core
