// C++'s own memory functions, all of them, for a library that shows only its C interface: those of the C++ library that zig
// links in could be seen, and used, by every other library in the process. Compiled so that they are hidden in spite of the
// standard's header.
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

void *allocate(std::size_t size, std::size_t alignment) noexcept {
    size = std::max<std::size_t>(size, 1);
    if (alignment <= alignof(std::max_align_t)) return std::malloc(size);
    void *memory;
    return ::posix_memalign(&memory, alignment, size) == 0 ? memory : nullptr;
}

void *allocate_or_throw(std::size_t size, std::size_t alignment) {
    for (;;) {
        if (void *memory = allocate(size, alignment)) return memory;
        const std::new_handler handler = std::get_new_handler();
        if (!handler) throw std::bad_alloc();
        handler();
    }
}

void *allocate_or_null(std::size_t size, std::size_t alignment) noexcept {
    try {
        return allocate_or_throw(size, alignment);
    } catch (const std::bad_alloc &) {
        return nullptr;
    }
}

constexpr std::size_t number(std::align_val_t alignment) { return static_cast<std::size_t>(alignment); }

} // namespace

using std::align_val_t;
using std::nothrow_t;
using std::size_t;

void *operator new(size_t size) { return allocate_or_throw(size, 0); }
void *operator new[](size_t size) { return allocate_or_throw(size, 0); }
void *operator new(size_t size, align_val_t alignment) { return allocate_or_throw(size, number(alignment)); }
void *operator new[](size_t size, align_val_t alignment) { return allocate_or_throw(size, number(alignment)); }
void *operator new(size_t size, const nothrow_t &) noexcept { return allocate_or_null(size, 0); }
void *operator new[](size_t size, const nothrow_t &) noexcept { return allocate_or_null(size, 0); }
void *operator new(size_t size, align_val_t alignment, const nothrow_t &) noexcept {
    return allocate_or_null(size, number(alignment));
}
void *operator new[](size_t size, align_val_t alignment, const nothrow_t &) noexcept {
    return allocate_or_null(size, number(alignment));
}

void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, size_t) noexcept { std::free(memory); }
void operator delete(void *memory, align_val_t) noexcept { std::free(memory); }
void operator delete[](void *memory, align_val_t) noexcept { std::free(memory); }
void operator delete(void *memory, size_t, align_val_t) noexcept { std::free(memory); }
void operator delete[](void *memory, size_t, align_val_t) noexcept { std::free(memory); }
void operator delete(void *memory, const nothrow_t &) noexcept { std::free(memory); }
void operator delete[](void *memory, const nothrow_t &) noexcept { std::free(memory); }
void operator delete(void *memory, align_val_t, const nothrow_t &) noexcept { std::free(memory); }
void operator delete[](void *memory, align_val_t, const nothrow_t &) noexcept { std::free(memory); }
