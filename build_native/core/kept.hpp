// Messages that a stream has sent and that its peer has not handled yet: to be sent again on another connection. All of
// it is under the command queue's lock. Payloads are chained through themselves, so that keeping one needs no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "payload.hpp"

namespace gns_core {

// Payloads that are no longer kept, to be freed outside of the lock.
class Released {
public:
    Released() = default;
    Released(Released &&other) noexcept : first_(std::exchange(other.first_, nullptr)) {}
    Released &operator=(Released &&) = delete;
    ~Released();
    void add(Payload *payload) noexcept { payload->next = std::exchange(first_, payload); }

private:
    Payload *first_ = nullptr;
};

class Kept {
public:
    Kept() = default;
    ~Kept() { release_all(); }
    Kept(const Kept &) = delete;
    Kept &operator=(const Kept &) = delete;

    // Makes a place for a lane, so that push() needs no memory.
    void prepare(uint16_t lane);
    void push(uint16_t lane, int64_t number, PayloadPtr payload) noexcept;
    // Moves those up to numbers[lane] out.
    Released release(const int64_t *numbers, size_t lanes) noexcept;
    Released release_all() noexcept;
    int64_t bytes() const { return bytes_; }
    int64_t messages() const { return messages_; }

    // All of them are to be sent again, from the first on.
    void rewind() noexcept;
    // How many still are.
    int64_t left() const { return left_; }
    // How many lanes the connection must have for that.
    size_t lanes_left() const noexcept;
    // Returns the next one, in the order in which they were sent, and its lane; nullptr: none is left.
    std::pair<Payload *, uint16_t> next() const noexcept;
    // The next one of this lane was sent again.
    void advance(uint16_t lane) noexcept;

private:
    struct Lane {
        Payload *first = nullptr, *last = nullptr;
        Payload *again = nullptr; // the next one to be sent again
        int64_t number = 0;       // the first one's
    };
    void release_first(Lane &lane, Released &released) noexcept;

    std::vector<Lane> lanes_;
    int64_t bytes_ = 0, messages_ = 0, left_ = 0;
    int64_t order_ = 0; // of the last one
};

} // namespace gns_core
