#include "tap.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core.hpp"

namespace {

sockaddr_in at(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

} // namespace

Tap::Tap(const gns_address &server) : fd_(::socket(AF_INET, SOCK_DGRAM, 0)), server_port_(server.port) {
    sockaddr_in own = at(0);
    socklen_t size = sizeof own;
    CHECK(::bind(fd_, reinterpret_cast<sockaddr *>(&own), size) == 0);
    CHECK(::getsockname(fd_, reinterpret_cast<sockaddr *>(&own), &size) == 0);
    CHECK(::pipe(stop_) == 0);
    address = loopback(ntohs(own.sin_port));
    thread_ = std::thread([this] { relay(); });
}

Tap::~Tap() {
    ::close(stop_[1]);
    thread_.join();
    ::close(stop_[0]);
    ::close(fd_);
}

void Tap::relay() {
    sockaddr_in client = at(0);
    for (;;) {
        pollfd waits[2] = {{fd_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
        ::poll(waits, 2, -1);
        if (waits[1].revents) return;
        char data[2048];
        sockaddr_in from{};
        socklen_t size = sizeof from;
        const ssize_t got = ::recvfrom(fd_, data, sizeof data, 0, reinterpret_cast<sockaddr *>(&from), &size);
        if (got < 0) continue;
        const bool by_server = ntohs(from.sin_port) == server_port_;
        if (!by_server) client = from;
        const sockaddr_in to = by_server ? client : at(server_port_);
        ::sendto(fd_, data, static_cast<size_t>(got), 0, reinterpret_cast<const sockaddr *>(&to), sizeof to);
        const std::lock_guard lock(mutex_);
        seen_.emplace_back(data, static_cast<size_t>(got));
    }
}

bool Tap::has_seen(const std::string &bytes) {
    const std::lock_guard lock(mutex_);
    return std::any_of(seen_.begin(), seen_.end(),
                       [&](const std::string &each) { return each.find(bytes) != std::string::npos; });
}
