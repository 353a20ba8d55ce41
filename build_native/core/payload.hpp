// The bytes of a message, shared by all connections that it goes to and by the stream that keeps it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace gns_core {

// Room for a frame's prefix comes before the bytes, if there is any; directly before the first byte of the message,
// wherever that is, stands this payload's address.
struct Payload {
    std::atomic<int32_t> references;
    uint32_t size;           // as sent, prefix included
    uint32_t room;           // before the bytes
    uint32_t prefix = 0;     // how much of the room a frame has taken
    Payload *next = nullptr; // while a stream keeps it: the one after it on its lane
    int64_t order = 0;       // among all that the stream keeps

    char *bytes() { return reinterpret_cast<char *>(this + 1) + sizeof(void *) + room; }
    char *begin() { return bytes() - prefix; }
    uint32_t content() const { return size - prefix; }
};

struct ReleasePayload {
    void operator()(Payload *payload) const noexcept;
};
using PayloadPtr = std::unique_ptr<Payload, ReleasePayload>; // one reference

// room: for a frame's prefix.
PayloadPtr make_payload(const void *data, uint32_t size, uint32_t room);
PayloadPtr share(Payload *payload) noexcept;
// Finds the payload of a message that begins here; the reference stays the message's.
Payload *payload_at(const void *begin) noexcept;
// Puts a frame's prefix, which fits into the room, before the bytes.
void set_prefix(Payload *payload, const uint8_t *prefix, uint32_t size) noexcept;

} // namespace gns_core
