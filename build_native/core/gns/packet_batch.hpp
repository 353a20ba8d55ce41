// Takes the packets that wait at a socket, several with one system call where the system has such a call. With one call
// for each packet, a single packet costs two: the second finds the socket empty. Called by GNS's own socketthread.cpp,
// in the places that gns_mended.cmake mends, under GNS's global lock.
#pragma once

#include <cstddef>

#ifndef _WIN32
#include <cstring>

#include <netinet/in.h>
#include <sys/socket.h>
#endif

namespace gns_core {

// Room in a control buffer for the type of service, and for the address in both families' forms.
constexpr size_t control_bytes = 256;

#ifndef _WIN32

// The packets of one visit to a socket. It lives on the stack of the thread that polls: 19 KiB, of the 128 that a
// thread has with musl. If the socket is closed by the content of a packet, the visit ends, and the rest of the batch
// is dropped.
class PacketBatch {
public:
#ifdef __linux__
    static constexpr size_t at_once = 8;
#else
    static constexpr size_t at_once = 1;
#endif
    // A longer packet is cut to this, and so still too long for GNS.
    static constexpr size_t packet_bytes = 2048;
    // Further packets are for the next visit, after everything else that is due: a flood must not hold GNS's lock
    // without end. epoll and poll report the socket again.
    static constexpr size_t at_most = 512;

    // Like recvmsg(), except that the message then refers to buffers of the batch's own for the data and the control
    // data, until the next call. Returns -1 if the visit is over.
    ssize_t next(int socket, msghdr &message) {
        if (next_ == count_ && !take(socket)) return -1;
        const Header &header = headers_[next_];
        std::memcpy(message.msg_name, &from_[next_], header.msg_hdr.msg_namelen);
        message.msg_namelen = header.msg_hdr.msg_namelen;
        message.msg_iov = header.msg_hdr.msg_iov;
        message.msg_control = header.msg_hdr.msg_control;
        message.msg_controllen = header.msg_hdr.msg_controllen;
        message.msg_flags = header.msg_hdr.msg_flags;
        ++next_;
        return static_cast<ssize_t>(header.msg_len);
    }

private:
#ifdef __linux__
    using Header = mmsghdr;
    int receive(int socket) { return recvmmsg(socket, headers_, at_once, 0, nullptr); }
#else
    struct Header {
        msghdr msg_hdr;
        size_t msg_len;
    };
    int receive(int socket) {
        const ssize_t size = recvmsg(socket, &headers_[0].msg_hdr, 0);
        headers_[0].msg_len = static_cast<size_t>(size);
        return size < 0 ? -1 : 1;
    }
#endif

    bool take(int socket) {
        if (count_ < at_once || taken_ >= at_most) return false; // fewer than asked for: there were no more
        for (size_t i = 0; i < at_once; ++i) {
            parts_[i] = {packets_[i], packet_bytes};
            msghdr &message = headers_[i].msg_hdr = {};
            message.msg_name = &from_[i];
            message.msg_namelen = sizeof from_[i];
            message.msg_iov = &parts_[i];
            message.msg_iovlen = 1;
            message.msg_control = control_[i];
            message.msg_controllen = control_bytes;
        }
        const int count = receive(socket);
        count_ = count > 0 ? static_cast<size_t>(count) : 0;
        next_ = 0;
        taken_ += count_;
        return count_ > 0;
    }

    size_t count_ = at_once, next_ = at_once, taken_ = 0;
    Header headers_[at_once];
    iovec parts_[at_once];
    sockaddr_in6 from_[at_once];
    alignas(cmsghdr) char control_[at_once][control_bytes];
    char packets_[at_once][packet_bytes];
};
#endif

} // namespace gns_core
