// Guards between a C caller and the core: for the process's state, exceptions, the text of the last error.
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

// Set in the child by fork and never reset: none of the core's locks may be touched there.
extern std::atomic<bool> forked;

// Notes this thread's last error and returns its code. number: the system's own, if the system refused.
int32_t fail(int32_t code, std::string_view text = {}, int32_t number = 0) noexcept;

// This thread's last error: GNS's words where there are any, otherwise the core's; "" before.
struct LastError {
    const char *text;
    int32_t number;
};
LastError last_error() noexcept;

// One sentence for an error code; "" for an unknown one.
const char *error_text(int32_t code) noexcept;

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

// Finds the system's error number in a message of GNS, which reports it nowhere else; 0: the system was not the cause.
int32_t system_error_in(std::string_view text) noexcept;

// Returns whether a text argument has at most `longest` bytes, none of them NUL.
bool is_text(const char *text, int32_t size, int32_t longest) noexcept;

// Copies into a terminated field of fixed size, cut at a whole UTF-8 character.
void copy_text(char *out, size_t capacity, std::string_view text) noexcept;

} // namespace gns_core
