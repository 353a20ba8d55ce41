// A descriptor that an event loop can wait on: readable between set() and clear(). Or a caller's socket: set() writes
// one byte to it, which the caller reads.
#pragma once

#include <cstdint>

namespace gns_core {

class Waker {
public:
    Waker(); // throws std::system_error
    explicit Waker(int64_t socket) : write_(socket), is_borrowed_(true) {}
    ~Waker();
    Waker(const Waker &) = delete;
    Waker &operator=(const Waker &) = delete;
    void set() noexcept;
    void clear() noexcept;
    int64_t descriptor() const noexcept { return read_; }
    bool is_borrowed() const noexcept { return is_borrowed_; }

private:
    int64_t read_ = -1;
    int64_t write_ = -1; // equals read_ for an eventfd
    bool is_set_ = false;
    const bool is_borrowed_ = false;
};

} // namespace gns_core
