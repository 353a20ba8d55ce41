// The common ground of the C++ peers: a mailbox with its buffers, connecting, and the options of all connections.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" {
#include "gns_core.h"
}
#include "measure.hpp"

constexpr int32_t send_rate_min = 10, send_rate_max = 11, send_buffer_size = 9; // GNS's numbers
constexpr int32_t connecting = 1, connected = 3;

[[noreturn]] inline void die(const char *what, int64_t code) {
    std::fprintf(stderr, "%s: %lld %s\n", what, static_cast<long long>(code), gns_last_error_text());
    std::exit(1);
}

inline int64_t check(const char *what, int64_t result) {
    if (result < 0) die(what, result);
    return result;
}

inline std::vector<gns_option> options() {
    const auto rate = static_cast<int64_t>(std::atoll(std::getenv("BENCH_RATE")));
    return {{send_rate_min, GNS_TYPE_INT32, rate, 0, nullptr},
            {send_rate_max, GNS_TYPE_INT32, rate, 0, nullptr},
            {send_buffer_size, GNS_TYPE_INT32, 32 << 20, 0, nullptr},
            {GNS_CONFIG_RECV_QUEUE_BYTES, GNS_TYPE_INT32, 1 << 29, 0, nullptr},
            {GNS_CONFIG_RECV_QUEUE_MESSAGES, GNS_TYPE_INT32, 1 << 22, 0, nullptr},
            {GNS_CONFIG_MAX_UNACKED_SEGMENTS, GNS_TYPE_INT32, 32768, 0, nullptr}};
}

inline gns_address loopback(uint16_t port) {
    gns_address address{};
    const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
    std::memcpy(address.ip, mapped, sizeof mapped);
    address.port = port;
    return address;
}

struct Mailbox {
    uint64_t handle = 0;
    std::vector<gns_event> events = std::vector<gns_event>(1024);
    std::vector<char> payload = std::vector<char>(1 << 20);
    gns_batch batch{};

    Mailbox() { check("mailbox", gns_mailbox_create(&handle)); }
    int32_t receive(int64_t timeout_us = 20'000'000) {
        const int64_t count =
            gns_mailbox_receive(handle, timeout_us, events.data(), static_cast<int32_t>(events.size()), payload.data(),
                                payload.size(), &batch);
        return static_cast<int32_t>(check("receive", count));
    }
    const gns_event &event(int32_t i) const { return events[static_cast<size_t>(i)]; }
    const char *data(const gns_event &event) const { return payload.data() + event.offset; }
    uint64_t connect(uint16_t port) {
        const gns_address address = loopback(port);
        const auto list = options();
        uint64_t connection = 0;
        check("connect",
              gns_connect(handle, &address, list.data(), static_cast<int32_t>(list.size()), nullptr, &connection));
        while (gns_connection_state(connection) == connecting) receive();
        if (gns_connection_state(connection) != connected) die("not connected", 0);
        return connection;
    }
    // Opens a free port and prints it.
    void listen() {
        const auto list = options();
        for (uint16_t port = 28500;; ++port) {
            const gns_address address = loopback(port);
            uint64_t socket = 0;
            if (gns_listen(handle, &address, list.data(), static_cast<int32_t>(list.size()), nullptr, nullptr,
                           &socket) < 0)
                continue;
            std::printf("%u\n", port);
            std::fflush(stdout);
            return;
        }
    }
};
