#include "memory_reserve.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace gns_core {

namespace {

// Several blocks, each more than everything that GNS allocates in one poll, and large enough that the C library returns
// each to the system at once, so that memory of every size can be had in its place.
constexpr size_t block_size = 1 << 20;
std::atomic<void *> blocks[4];
std::new_handler next_handler = nullptr;

void give_back() {
    for (auto &block : blocks)
        if (void *const memory = block.exchange(nullptr)) return std::free(memory);
    if (!next_handler) throw std::bad_alloc();
    next_handler();
}

} // namespace

void install_memory_reserve() {
    refill_memory_reserve();
    const std::new_handler previous = std::set_new_handler(give_back);
    if (previous != give_back) next_handler = previous;
}

bool refill_memory_reserve() {
    for (auto &block : blocks) {
        if (block.load(std::memory_order_relaxed)) continue;
        void *const memory = std::malloc(block_size);
        if (!memory) return false;
        void *expected = nullptr;
        if (!block.compare_exchange_strong(expected, memory)) std::free(memory);
    }
    return true;
}

} // namespace gns_core
