// Several packets are taken from a socket at once: each is handled by itself, and a flood at one socket leaves time for
// others.
#include "core.hpp"

#ifdef __linux__

#include <atomic>
#include <cstring>

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gns/packet_batch.hpp"

using gns_core::PacketBatch;

namespace {

std::atomic<bool> all_come_in_full_batches = false;
std::atomic<uint16_t> flooded_port = 0;

uint16_t port_of(int socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    CHECK(::getsockname(socket, reinterpret_cast<sockaddr *>(&address), &size) == 0);
    return ntohs(reinterpret_cast<const sockaddr_in *>(&address)->sin_port); // at the same place in both families
}

bool is_flooded(int socket) {
    const uint16_t port = flooded_port;
    return port && port == port_of(socket);
}

void copy(const mmsghdr &from, mmsghdr &to) {
    const msghdr &there = from.msg_hdr;
    msghdr &here = to.msg_hdr;
    std::memcpy(here.msg_name, there.msg_name, there.msg_namelen);
    std::memcpy(here.msg_iov->iov_base, there.msg_iov->iov_base, from.msg_len);
    std::memcpy(here.msg_control, there.msg_control, there.msg_controllen);
    here.msg_namelen = there.msg_namelen;
    here.msg_controllen = there.msg_controllen;
    here.msg_flags = there.msg_flags;
    to.msg_len = from.msg_len;
}

// A UDP socket that does not block, at a free port.
class Socket {
public:
    Socket() : fd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
        CHECK(fd >= 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(::bind(fd, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
    }
    ~Socket() { ::close(fd); }
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;

    void send(uint16_t port, const std::string &data, int type_of_service = 0) const {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        CHECK(::setsockopt(fd, IPPROTO_IP, IP_TOS, &type_of_service, sizeof type_of_service) == 0);
        CHECK_EQUAL(::sendto(fd, data.data(), data.size(), 0, reinterpret_cast<sockaddr *>(&address), sizeof address),
                    static_cast<ssize_t>(data.size()));
    }

    const int fd;
};

struct Packet {
    std::string data;
    uint16_t port = 0;
    int type_of_service = -1;
};

// Returns whether there was another packet.
bool take(PacketBatch &batch, const Socket &socket, Packet &packet) {
    sockaddr_storage from{};
    msghdr message{};
    message.msg_name = &from;
    const ssize_t size = batch.next(socket.fd, message);
    if (size < 0) return false;
    packet.data.assign(static_cast<const char *>(message.msg_iov->iov_base), static_cast<size_t>(size));
    packet.port = ntohs(reinterpret_cast<const sockaddr_in &>(from).sin_port);
    packet.type_of_service = -1;
    for (cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
        if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_TOS)
            packet.type_of_service = *CMSG_DATA(header);
    return true;
}

} // namespace

// These precede the system's own. They make happen what otherwise depends on the moment.
extern "C" int recvmmsg(int socket, mmsghdr *headers, unsigned int size, int flags, timespec *timeout) {
    if (is_flooded(socket)) flags |= MSG_PEEK; // the same packet again and again
    int count = static_cast<int>(::syscall(SYS_recvmmsg, socket, headers, size, flags, timeout));
    if (all_come_in_full_batches && count > 0)
        for (; count < static_cast<int>(size); ++count) copy(headers[count - 1], headers[count]);
    return count;
}

extern "C" ssize_t recvmsg(int socket, msghdr *message, int flags) {
    if (is_flooded(socket)) flags |= MSG_PEEK;
    return ::syscall(SYS_recvmsg, socket, message, flags);
}

TEST(packet_batch, each_has_its_own_data) {
    const Socket here, there[2];
    const int on = 1;
    CHECK(::setsockopt(here.fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof on) == 0);
    for (size_t i = 0; i < 20; ++i)
        there[i % 2].send(port_of(here.fd), std::string(i * 50, static_cast<char>('a' + i)), i % 3 ? 0x10 : 0x08);
    PacketBatch batch;
    Packet packet;
    for (size_t i = 0; i < 20; ++i) {
        CHECK(take(batch, here, packet));
        CHECK(packet.data == std::string(i * 50, static_cast<char>('a' + i)));
        CHECK_EQUAL(packet.port, port_of(there[i % 2].fd));
        CHECK_EQUAL(packet.type_of_service, i % 3 ? 0x10 : 0x08);
    }
    CHECK(!take(batch, here, packet));
}

TEST(packet_batch, it_ends_with_a_call_that_is_not_filled) {
    const Socket here, there;
    PacketBatch batch;
    Packet packet;
    there.send(port_of(here.fd), "first");
    CHECK(take(batch, here, packet));
    there.send(port_of(here.fd), "second");
    CHECK(!take(batch, here, packet));
    PacketBatch next;
    CHECK(take(next, here, packet));
    CHECK_EQUAL(packet.data, "second");
}

TEST(packet_batch, a_long_packet_stays_too_long) {
    const Socket here, there;
    there.send(port_of(here.fd), std::string(5000, 'x'));
    there.send(port_of(here.fd), "short");
    PacketBatch batch;
    Packet packet;
    CHECK(take(batch, here, packet));
    CHECK_EQUAL(packet.data.size(), PacketBatch::packet_bytes);
    CHECK(take(batch, here, packet));
    CHECK_EQUAL(packet.data, "short");
}

TEST(packet_batch, it_has_a_bound) {
    const Socket here, there;
    PacketBatch batch;
    Packet packet;
    for (size_t i = 0; i < PacketBatch::at_once; ++i) there.send(port_of(here.fd), "x");
    size_t taken = 0;
    for (; taken < 2 * PacketBatch::at_most && take(batch, here, packet); ++taken) there.send(port_of(here.fd), "x");
    CHECK_EQUAL(taken, PacketBatch::at_most);
}

TEST(packet_batch, a_flood_at_another_socket) {
    Link link(fast(), fast());
    Mailbox other;
    const gns_address address = free_address();
    const uint64_t socket = listen(other, address);
    flooded_port = address.port;
    const Socket there;
    there.send(address.port, "x"); // without end
    for (int i = 0; i < 3; ++i) check_alive(link.server, link.inbound, link.client, link.outbound);
    flooded_port = 0;
    OK(gns_listen_close(socket, 1000, "", 0, 0));
}

// Each packet arrives eight times, also those that end a connection, or are for one that has ended.
TEST(packet_batch, connections_come_and_go_in_full_batches) {
    all_come_in_full_batches = true;
    {
        Link link(fast(), fast());
        for (int i = 0; i < 40; ++i) {
            const auto [near, far] = link.add();
            check_alive(link.server, near, link.client, far);
            OK(close(far, 1000, "", i % 2 == 0));
            link.server.end_of(near);
            OK(close(near));
        }
        check_alive(link.server, link.inbound, link.client, link.outbound);
    }
    all_come_in_full_batches = false;
}

#endif
