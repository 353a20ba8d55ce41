// Memory for when there is none. What is large, or is a peer's, is asked for where a refusal can be answered: that
// connection ends. But GNS is compiled without exceptions and makes small things everywhere: a std::bad_alloc would fly
// through it, leave its locks locked, and end the process. They find the reserve instead, and all goes on.
#pragma once

namespace gns_core {

// From now on a `new` that finds no memory gives the reserve back to the allocator, and tries again.
void install_memory_reserve();
// Makes the reserve whole again; false if there is too little memory for that.
bool refill_memory_reserve();

} // namespace gns_core
