// A descriptor that an event loop can wait on: readable between set() and clear().
#pragma once

#include <cstdint>

namespace gns_core {

class Waker {
public:
    Waker(); // throws std::system_error
    ~Waker();
    Waker(const Waker &) = delete;
    Waker &operator=(const Waker &) = delete;
    void set() noexcept;
    void clear() noexcept;
    int64_t descriptor() const noexcept { return read_; }

private:
    int64_t read_ = -1;
    int64_t write_ = -1; // the same as read_ for an eventfd
    bool is_set_ = false;
};

} // namespace gns_core
