// The floor: UDP sockets that block, with nothing above them.
//
// Usage: udp_peer serve | round_trip PORT COUNT SIZE
#include <arpa/inet.h>
#include <cstdlib>
#include <string>
#include <sys/socket.h>

#include "measure.hpp"

namespace {

int check(const char *what, ssize_t result) {
    if (result < 0) {
        std::perror(what);
        std::exit(1);
    }
    return static_cast<int>(result);
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
}

sockaddr *general(sockaddr_in &address) { return reinterpret_cast<sockaddr *>(&address); }

void serve(int file) {
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    check("bind", bind(file, general(address), length));
    check("getsockname", getsockname(file, general(address), &length));
    say("%lld\n", ntohs(address.sin_port));
    for (char data[65536];;) {
        const int size = check("recvfrom", recvfrom(file, data, sizeof data, 0, general(address), &length));
        check("sendto", sendto(file, data, static_cast<size_t>(size), 0, general(address), length));
    }
}

void round_trip(int file, int port, int count, size_t size) {
    sockaddr_in address = loopback(port);
    check("connect", connect(file, general(address), sizeof address));
    std::vector<char> data(size, 'x');
    measure_round_trips(count, [&] {
        check("send", send(file, data.data(), size, 0));
        check("recv", recv(file, data.data(), size, 0));
    });
}

} // namespace

int main(int argc, char **argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    const int file = check("socket", socket(AF_INET, SOCK_DGRAM, 0));
    if (what == "serve")
        serve(file);
    else if (what == "round_trip" && argc == 5)
        round_trip(file, std::atoi(argv[2]), std::atoi(argv[3]), static_cast<size_t>(std::atoi(argv[4])));
    else
        return 2;
    return 0;
}
