#include "guard.hpp"

#include <charconv>
#include <cstring>
#include <tuple>

namespace gns_core {

std::atomic<bool> forked{false};

namespace {
thread_local char last_text[1024];
thread_local int32_t last_number = 0;
}

int32_t fail(int32_t code, std::string_view text, int32_t number) noexcept {
    last_number = number;
    copy_text(last_text, sizeof last_text, text.empty() ? error_text(code) : text);
    return code;
}

LastError last_error() noexcept { return {last_text, last_number}; }

int32_t system_error_in(std::string_view text) noexcept {
    // "Error code 0x%08x.", "error 0x%x", "errno=%d"
    for (const auto &[before, begin, base] : {std::tuple{"errno=", "errno=", 10}, std::tuple{"rror", "0x", 16}}) {
        const size_t error = text.rfind(before);
        const size_t number = error == std::string_view::npos ? error : text.find(begin, error);
        if (number == std::string_view::npos) continue;
        uint32_t value = 0;
        std::from_chars(text.data() + number + std::strlen(begin), text.data() + text.size(), value, base);
        return static_cast<int32_t>(value);
    }
    return 0;
}

bool is_text(const char *text, int32_t size, int32_t longest) noexcept {
    if (size < 0 || size > longest || (size > 0 && text == nullptr)) return false;
    return size == 0 || std::memchr(text, 0, static_cast<size_t>(size)) == nullptr;
}

void copy_text(char *out, size_t capacity, std::string_view text) noexcept {
    size_t size = text.size();
    if (size >= capacity) {
        size = capacity - 1;
        while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    }
    std::memmove(out, text.data(), size);
    std::memset(out + size, 0, capacity - size);
}

const char *error_text(int32_t code) noexcept {
    switch (code) {
    case GNS_ERROR_NOT_RUNNING: return "the runtime is not running";
    case GNS_ERROR_FORKED:
        return "this process is a fork of the one that started the runtime, which does not work here: start a fresh "
               "process";
    case GNS_ERROR_BAD_HANDLE: return "the handle is not valid or is closed";
    case GNS_ERROR_NO_IDENTITY: return "this process has no identity, which peers need to find it";
    case GNS_ERROR_BAD_SIGNAL: return "it is not a signal of its sender";
    case GNS_ERROR_TOO_LARGE: return "the message is too large to be sent";
    case GNS_ERROR_BUFFER_TOO_SMALL: return "the buffer is too small";
    case GNS_ERROR_NATIVE: return "GameNetworkingSockets refused";
    case GNS_ERROR_RUNNING: return "the runtime is already running under another identity";
    case GNS_ERROR_NO_MEMORY: return "out of memory";
    case GNS_ERROR_UNKNOWN_OPTION: return "there is no such option";
    case GNS_ERROR_WRONG_SCOPE: return "the option does not exist at this scope";
    case GNS_ERROR_WRONG_TYPE: return "the option has another type";
    case GNS_ERROR_LOCKED: return "the option can no longer be changed";
    case GNS_ERROR_RESERVED: return "the option is reserved; set recv_queue_bytes or recv_queue_messages";
    case GNS_ERROR_BAD_TEXT: return "the text is too long or holds a NUL byte";
    case GNS_ERROR_BAD_REASON: return "a close reason must be from 1000 to 2999";
    case GNS_ERROR_BAD_IDENTITY: return "not an identity";
    case GNS_ERROR_BAD_VALUE: return "the value is out of range";
    case GNS_ERROR_SYSTEM: return "the system refused";
    case GNS_ERROR_CERTIFICATE: return "the certificate or the key is not right";
    case GNS_ERROR_HELD: return "the message has no credit, or must wait for others";
    case -2: return "failed";
    case -3: return "the connection has ended";
    case -8: return "invalid parameter";
    case -11: return "invalid state for this call";
    case -25: return "a limit is exceeded";
    case -29: return "already done";
    case -36: return "the handshake failed";
    case -41: return "ignored: the connection cannot send right now";
    default: return "";
    }
}

} // namespace gns_core
