#include "payload.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

namespace gns_core {

namespace {

constexpr size_t address_size = sizeof(void *);

void write_address(Payload *payload) {
    std::memcpy(payload->begin() - address_size, static_cast<const void *>(&payload), address_size);
}

} // namespace

void ReleasePayload::operator()(Payload *payload) const noexcept {
    if (payload->references.fetch_sub(1, std::memory_order_acq_rel) == 1) std::free(payload);
}

PayloadPtr make_payload(const void *data, uint32_t size, uint32_t room) {
    void *const memory = std::malloc(sizeof(Payload) + address_size + room + size);
    if (!memory) throw std::bad_alloc();
    PayloadPtr payload(new (memory) Payload{{1}, size, room});
    write_address(payload.get());
    if (size > 0) std::memcpy(payload->bytes(), data, size);
    return payload;
}

PayloadPtr share(Payload *payload) noexcept {
    payload->references.fetch_add(1, std::memory_order_relaxed);
    return PayloadPtr(payload);
}

Payload *payload_at(const void *begin) noexcept {
    Payload *payload;
    std::memcpy(static_cast<void *>(&payload), static_cast<const char *>(begin) - address_size, address_size);
    return payload;
}

void set_prefix(Payload *payload, const uint8_t *prefix, uint32_t size) noexcept {
    payload->prefix = size;
    payload->size += size;
    std::memcpy(payload->begin(), prefix, size);
    write_address(payload);
}

} // namespace gns_core
