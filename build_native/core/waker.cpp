#include "waker.hpp"

#include <system_error>

#if defined(_WIN32)
#include <winsock2.h>
#include <ws2tcpip.h>
#elif defined(__linux__)
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#else
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#endif

namespace gns_core {

#if defined(_WIN32)

Waker::Waker() {
    // A UDP socket on loopback that is connected to itself: select() on Windows takes sockets only.
    SOCKET own = ::socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int size = sizeof address;
    u_long nonblocking = 1;
    if (own == INVALID_SOCKET || ::bind(own, reinterpret_cast<sockaddr *>(&address), size) != 0 ||
        ::getsockname(own, reinterpret_cast<sockaddr *>(&address), &size) != 0 ||
        ::connect(own, reinterpret_cast<sockaddr *>(&address), size) != 0 ||
        ::ioctlsocket(own, FIONBIO, &nonblocking) != 0) {
        const int error = ::WSAGetLastError();
        if (own != INVALID_SOCKET) ::closesocket(own);
        throw std::system_error(error, std::system_category(), "wake-up socket");
    }
    read_ = write_ = static_cast<int64_t>(own);
}

Waker::~Waker() {
    if (!is_borrowed_) ::closesocket(static_cast<SOCKET>(read_));
}

#elif defined(__linux__)

Waker::Waker() {
    read_ = write_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (read_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Waker::~Waker() {
    if (!is_borrowed_) ::close(static_cast<int>(read_));
}

#else

Waker::Waker() {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        throw std::system_error(errno, std::generic_category(), "wake-up socket pair");
    for (int end : pair) {
        ::fcntl(end, F_SETFL, ::fcntl(end, F_GETFL) | O_NONBLOCK);
        ::fcntl(end, F_SETFD, FD_CLOEXEC);
    }
    read_ = pair[0];
    write_ = pair[1];
}

Waker::~Waker() {
    if (is_borrowed_) return;
    ::close(static_cast<int>(read_));
    ::close(static_cast<int>(write_));
}

#endif

void Waker::set() noexcept {
    if (is_set_) return;
    is_set_ = true;
#if defined(_WIN32)
    ::send(static_cast<SOCKET>(write_), "", 1, 0);
#elif defined(__linux__)
    if (is_borrowed_) {
        ::send(static_cast<int>(write_), "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    }
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(static_cast<int>(write_), &one, sizeof one);
#else
    [[maybe_unused]] const ssize_t written = ::write(static_cast<int>(write_), "", 1);
#endif
}

void Waker::clear() noexcept {
    if (!is_set_) return;
    is_set_ = false;
    if (is_borrowed_) return;
#if defined(_WIN32)
    char byte;
    ::recv(static_cast<SOCKET>(read_), &byte, 1, 0);
#elif defined(__linux__)
    uint64_t count;
    [[maybe_unused]] const ssize_t got = ::read(static_cast<int>(read_), &count, sizeof count);
#else
    char byte;
    [[maybe_unused]] const ssize_t got = ::read(static_cast<int>(read_), &byte, 1);
#endif
}

} // namespace gns_core
