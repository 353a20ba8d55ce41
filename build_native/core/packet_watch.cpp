#include "packet_watch.hpp"

#if defined(__linux__)
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#endif

namespace gns_core {

#if defined(__linux__)

namespace {

int control(int64_t descriptor, int operation, int watched) {
    epoll_event event{};
    event.events = EPOLLIN;
    return ::epoll_ctl(static_cast<int>(descriptor), operation, watched, &event);
}

} // namespace

PacketWatch::PacketWatch(int64_t events) : descriptor_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "epoll");
    if (control(descriptor_, EPOLL_CTL_ADD, static_cast<int>(events)) == 0) return;
    const int error = errno;
    ::close(static_cast<int>(descriptor_));
    throw std::system_error(error, std::generic_category(), "epoll");
}

PacketWatch::~PacketWatch() { ::close(static_cast<int>(descriptor_)); }

void PacketWatch::watch(int packets) {
    if (packets == packets_) return;
    if (packets_ >= 0) control(descriptor_, EPOLL_CTL_DEL, packets_);
    packets_ = -1;
    if (packets >= 0 && control(descriptor_, EPOLL_CTL_ADD, packets) == 0) packets_ = packets;
}

#else // GNS has no descriptor for its packets

PacketWatch::PacketWatch(int64_t events) : descriptor_(events) {}
PacketWatch::~PacketWatch() = default;
void PacketWatch::watch(int) {}

#endif

} // namespace gns_core
