// A descriptor for an event loop that serves GNS: readable while the loop's mailbox has events, and while GNS's packets
// wait, as long as the loop watches those.
#pragma once

#include <cstdint>

namespace gns_core {

class PacketWatch {
public:
    // events: the descriptor of the mailbox's waker. Throws std::system_error.
    explicit PacketWatch(int64_t events);
    ~PacketWatch();
    PacketWatch(const PacketWatch &) = delete;
    PacketWatch &operator=(const PacketWatch &) = delete;
    int64_t descriptor() const { return descriptor_; }
    // Watches GNS's packets at that descriptor, or, with -1, no longer.
    void watch(int packets);
    bool is_on() const { return packets_ >= 0; }

private:
    int64_t descriptor_;
    int packets_ = -1;
};

} // namespace gns_core
