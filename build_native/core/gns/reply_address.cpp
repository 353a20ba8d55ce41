// The systems differ in names, in what they report for IPv4 packets at a socket for both
// families, and in what they take:
//
//            IPv4 socket      both families, IPv4 packet               both families, IPv6 packet
// Linux      in_pktinfo       in_pktinfo and in6_pktinfo               in6_pktinfo
// Windows    in_pktinfo       in_pktinfo                               in6_pktinfo
// macOS      in_pktinfo       in6_pktinfo, from some version on        in6_pktinfo
//
// All three take an IPv4 address to send from as in_pktinfo, at either kind of socket. The index of the interface stays
// 0 where it can: with an index the packet would leave by that interface, whatever the routes say.
#ifdef __APPLE__
#define __APPLE_USE_RFC_3542 // otherwise the headers have the options of an older standard
#endif

#include "gns/reply_address.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#ifdef _WIN32
#include <mswsock.h>
#undef CMSG_DATA // wincrypt.h's is something else
#define CMSG_FIRSTHDR WSA_CMSG_FIRSTHDR
#define CMSG_NXTHDR WSA_CMSG_NXTHDR
#define CMSG_DATA WSA_CMSG_DATA
#define CMSG_LEN WSA_CMSG_LEN
#define CMSG_SPACE WSA_CMSG_SPACE
#else
#include <netinet/in.h>
#include <sys/socket.h>
#endif

namespace gns_core {

namespace {

#ifdef _WIN32
using ControlHeader = WSACMSGHDR;
constexpr int ask_ipv6 = IPV6_PKTINFO;

char *&control(SocketMessage &message) { return message.Control.buf; }
ULONG &control_length(SocketMessage &message) { return message.Control.len; }
#else
using ControlHeader = cmsghdr;
constexpr int ask_ipv6 = IPV6_RECVPKTINFO;

void *&control(SocketMessage &message) { return message.msg_control; }
auto &control_length(SocketMessage &message) { return message.msg_controllen; }
#endif

constexpr unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_ipv4(const OwnAddress &address) { return std::memcmp(address.ip, mapped, sizeof mapped) == 0; }

bool is_link_local(const OwnAddress &address) { return address.ip[0] == 0xfe && (address.ip[1] & 0xc0) == 0x80; }

// Multicast and broadcast addresses: packets may be sent to some of them, from none.
bool is_for_many(const OwnAddress &address) { return is_ipv4(address) ? address.ip[12] >= 224 : address.ip[0] == 0xff; }

OwnAddress from_ipv4(const in_addr &ip) {
    OwnAddress address;
    std::memcpy(address.ip, mapped, sizeof mapped);
    std::memcpy(address.ip + sizeof mapped, &ip, 4);
    return address;
}

OwnAddress from_ipv6(const in6_pktinfo &info) {
    OwnAddress address;
    std::memcpy(address.ip, &info.ipi6_addr, 16);
    if (is_link_local(address)) address.interface_index = static_cast<uint32_t>(info.ipi6_ifindex);
    return address;
}

OwnAddress called_address(SocketMessage &message) {
    OwnAddress found;
    for (ControlHeader *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO &&
            header->cmsg_len >= CMSG_LEN(sizeof(in_pktinfo))) {
            in_pktinfo info;
            std::memcpy(&info, CMSG_DATA(header), sizeof info);
#ifdef __linux__
            return from_ipv4(info.ipi_spec_dst); // even for a broadcast this is one to answer from
#else
            return from_ipv4(info.ipi_addr);
#endif
        }
        if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO &&
            header->cmsg_len >= CMSG_LEN(sizeof(in6_pktinfo))) {
            in6_pktinfo info;
            std::memcpy(&info, CMSG_DATA(header), sizeof info);
            found = from_ipv6(info);
        }
    }
    return found;
}

void append(SocketMessage &message, int level, int type, const void *data, size_t size) {
    const size_t before = control_length(message);
    auto *const header = reinterpret_cast<ControlHeader *>(static_cast<char *>(control(message)) + before);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), data, size);
    control_length(message) = before + CMSG_SPACE(size);
}

void append_address(SocketMessage &message, const OwnAddress &address) {
    if (is_ipv4(address)) {
        in_pktinfo info = {};
#ifdef _WIN32
        std::memcpy(&info.ipi_addr, address.ip + sizeof mapped, 4);
#else
        std::memcpy(&info.ipi_spec_dst, address.ip + sizeof mapped, 4);
#endif
        append(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else {
        in6_pktinfo info = {};
        std::memcpy(&info.ipi6_addr, address.ip, 16);
        info.ipi6_ifindex = address.interface_index;
        append(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
}

// A copy of a message, with an address to send from.
class WithAddress {
public:
    WithAddress(const SocketMessage &original, const OwnAddress &from) : message(original) {
        const size_t before = std::min<size_t>(control_length(message), control_bytes / 2);
        if (before) std::memcpy(buffer_, control(message), before);
        control(message) = buffer_;
        control_length(message) = before;
        append_address(message, from);
    }
    WithAddress(const WithAddress &) = delete;
    WithAddress &operator=(const WithAddress &) = delete;

    SocketMessage message;

private:
    alignas(ControlHeader) char buffer_[control_bytes] = {};
};

} // namespace

bool OwnAddress::any() const {
    return std::all_of(ip, ip + sizeof ip, [](unsigned char byte) { return byte == 0; });
}

void ReplyAddress::ask(Socket socket, bool ipv6) {
    const int on = 1;
    const auto *const value = reinterpret_cast<const char *>(&on);
    // A refusal is not reported, and the system goes on choosing: some systems refuse IPv4's option at an IPv6 socket.
    setsockopt(socket, IPPROTO_IP, IP_PKTINFO, value, sizeof on);
    if (ipv6) setsockopt(socket, IPPROTO_IPV6, ask_ipv6, value, sizeof on);
    asked_ = true;
}

void ReplyAddress::received(SocketMessage &message, const netadr_t &from) {
    if (asked_) received(called_address(message), from);
}

void ReplyAddress::received(const OwnAddress &at, const netadr_t &from) {
    if (!asked_) return;
    last_peer_ = from;
    last_ = is_for_many(at) ? OwnAddress() : at;
}

void ReplyAddress::keep(const netadr_t &peer) noexcept {
    if (last_.any() || !(last_peer_ == peer)) return;
    try {
        kept_[peer] = last_;
    } catch (const std::bad_alloc &) { // the system chooses
    }
}

void ReplyAddress::forget(const netadr_t &peer) { kept_.erase(peer); }

OwnAddress ReplyAddress::answer(const netadr_t &peer) const {
    if (!asked_) return {};
    const auto found = kept_.find(peer);
    if (found != kept_.end()) return found->second;
    return last_peer_ == peer ? last_ : OwnAddress();
}

#ifdef _WIN32
int send_from(const OwnAddress &from, Socket socket, SocketMessage *message, DWORD flags, DWORD *sent,
              WSAOVERLAPPED *overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    if (!from.any()) {
        WithAddress with(*message, from);
        const int result = WSASendMsg(socket, &with.message, flags, sent, overlapped, routine);
        if (result == 0 || WSAGetLastError() == WSAEWOULDBLOCK || WSAGetLastError() == WSAENOBUFS) return result;
    }
    return WSASendMsg(socket, message, flags, sent, overlapped, routine);
}
#else
ssize_t send_from(const OwnAddress &from, Socket socket, const SocketMessage *message, int flags) {
    if (!from.any()) {
        const WithAddress with(*message, from);
        const ssize_t result = sendmsg(socket, &with.message, flags);
        if (result >= 0 || errno == EAGAIN || errno == ENOBUFS) return result;
    }
    return sendmsg(socket, message, flags);
}
#endif

} // namespace gns_core
