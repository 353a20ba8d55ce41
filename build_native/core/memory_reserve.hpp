// Memory for when there is none. Large blocks, and sizes that a peer chooses, are allocated where a refusal can be
// dealt with: that connection ends. But GNS is compiled without exceptions and allocates small objects everywhere: a
// std::bad_alloc would fly through it, leave its locks locked, and end the process. These allocations use the reserve
// instead.
#pragma once

namespace gns_core {

// Makes a `new` that finds no memory give the reserve back to the allocator and try again.
void install_memory_reserve();
// Makes the reserve whole again; returns false if there is too little memory for that.
bool refill_memory_reserve();

} // namespace gns_core
