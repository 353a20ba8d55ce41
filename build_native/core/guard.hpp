// What stands between a C caller and the core: process state, exceptions, the text of the last error.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

#include "core_api.hpp"

namespace gns_core {

// Set in the child by fork and never reset: no lock of the core may be touched there.
extern std::atomic<bool> forked;

// number: the system's own, if it was the system that refused.
int32_t fail(int32_t code, std::string_view text = {}, int32_t number = 0) noexcept;

// Runs the body of one exported function: nothing is touched in a forked child, nothing is thrown into C.
template <class Body> auto guarded(Body &&body) noexcept -> decltype(body()) {
    if (forked.load(std::memory_order_relaxed)) return fail(GNS_ERROR_FORKED);
    try {
        return std::forward<Body>(body)();
    } catch (const std::bad_alloc &) {
        return fail(GNS_ERROR_NO_MEMORY);
    } catch (const std::system_error &error) {
        return fail(GNS_ERROR_SYSTEM, error.what(), error.code().value());
    } catch (const std::exception &error) {
        return fail(GNS_ERROR_NATIVE, error.what());
    } catch (...) {
        return fail(GNS_ERROR_NATIVE, "unknown exception");
    }
}

// The system's number in a message of GNS, which tells it nowhere else; 0: it was not the system.
int32_t system_error_in(std::string_view text) noexcept;

// A text argument: at most `longest` bytes, none of them NUL.
bool is_text(const char *text, int32_t size, int32_t longest) noexcept;

// Copies into a terminated field of fixed size, cut at a whole UTF-8 character.
void copy_text(char *out, size_t capacity, std::string_view text) noexcept;

} // namespace gns_core
