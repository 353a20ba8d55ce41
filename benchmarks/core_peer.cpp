// The benchmark's yardstick: the same peers as in python_peer.py, in C++, through the same core and pump.
// Usage: core_peer serve | core_peer round_trip PORT COUNT SIZE | core_peer one_way PORT COUNT SIZE RELIABLE
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

extern "C" {
#include "gns_core.h"
}

namespace {

constexpr int32_t send_rate_min = 10, send_rate_max = 11, send_buffer_size = 9; // GNS's numbers
constexpr int32_t connected = 3;
constexpr int batch_size = 256;

[[noreturn]] void die(const char *what, int64_t code) {
    std::fprintf(stderr, "%s: %lld %s\n", what, static_cast<long long>(code), gns_last_error_text());
    std::exit(1);
}

int64_t check(const char *what, int64_t result) {
    if (result < 0) die(what, result);
    return result;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<gns_option> options() {
    const auto rate = static_cast<int64_t>(std::atoll(std::getenv("BENCH_RATE")));
    return {{send_rate_min, GNS_TYPE_INT32, rate, 0, nullptr},
            {send_rate_max, GNS_TYPE_INT32, rate, 0, nullptr},
            {send_buffer_size, GNS_TYPE_INT32, 32 << 20, 0, nullptr},
            {GNS_CONFIG_RECV_QUEUE_BYTES, GNS_TYPE_INT32, 1 << 29, 0, nullptr},
            {GNS_CONFIG_RECV_QUEUE_MESSAGES, GNS_TYPE_INT32, 1 << 22, 0, nullptr},
            {GNS_CONFIG_MAX_UNACKED_SEGMENTS, GNS_TYPE_INT32, 32768, 0, nullptr}};
}

struct Mailbox {
    uint64_t handle = 0;
    std::vector<gns_event> events = std::vector<gns_event>(1024);
    std::vector<char> payload = std::vector<char>(1 << 20);
    gns_batch batch{};

    Mailbox() { check("mailbox", gns_mailbox_create(&handle)); }
    int32_t receive(int64_t timeout_us = 20'000'000) {
        const int64_t count = gns_mailbox_receive(handle, timeout_us, events.data(), 1024, payload.data(), payload.size(), &batch);
        return static_cast<int32_t>(check("receive", count));
    }
    const char *data(const gns_event &event) const { return payload.data() + event.offset; }
};

gns_address loopback(uint16_t port) {
    gns_address address{};
    const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
    std::memcpy(address.ip, mapped, sizeof mapped);
    address.port = port;
    return address;
}

// One connection at a time. Its first message says what to do with the others: E echo them, S count them; F asks for the sum.
void serve() {
    Mailbox mailbox;
    uint64_t socket = 0;
    uint16_t port = 28500;
    gns_address address{};
    const auto list = options();
    for (;; ++port) {
        address = loopback(port);
        if (gns_listen(mailbox.handle, &address, list.data(), static_cast<int32_t>(list.size()), &socket) >= 0) break;
    }
    std::printf("%u\n", port);
    std::fflush(stdout);
    char mode = 0;
    uint64_t count = 0;
    double begin = 0, cpu = 0;
    for (;;) {
        const int32_t got = mailbox.receive(-1);
        for (int32_t i = 0; i < got; ++i) {
            const gns_event &event = mailbox.events[static_cast<size_t>(i)];
            if (event.kind == GNS_EVENT_STATUS) {
                if (event.new_state == 1) check("accept", gns_accept(event.connection, 0));
                if (event.new_state > connected) gns_close(event.connection, 1000, nullptr, 0, 0);
                if (event.new_state == 1) mode = 0;
            } else if (event.kind == GNS_EVENT_MESSAGE) {
                const char *const data = mailbox.data(event);
                if (mode == 0) {
                    mode = data[0];
                    count = 0;
                    begin = seconds();
                    cpu = cpu_seconds();
                } else if (mode == 'E') {
                    check("echo", gns_send(event.connection, data, event.size, event.flags | GNS_SEND_NO_NAGLE, 0));
                } else if (event.size == 1) {
                    const double sum[3] = {static_cast<double>(count), seconds() - begin, cpu_seconds() - cpu};
                    check("answer", gns_send(event.connection, sum, sizeof sum, GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE, 0));
                } else {
                    ++count;
                }
            }
        }
    }
}

uint64_t connect(Mailbox &mailbox, uint16_t port) {
    const gns_address address = loopback(port);
    const auto list = options();
    uint64_t connection = 0;
    check("connect", gns_connect(mailbox.handle, &address, list.data(), static_cast<int32_t>(list.size()), &connection));
    while (gns_connection_state(connection) == 1) mailbox.receive();
    if (gns_connection_state(connection) != connected) die("not connected", 0);
    return connection;
}

const gns_event &next_message(Mailbox &mailbox) {
    for (;;) {
        const int32_t got = mailbox.receive();
        if (got == 0) die("no answer", 0);
        for (int32_t i = 0; i < got; ++i)
            if (mailbox.events[static_cast<size_t>(i)].kind == GNS_EVENT_MESSAGE) return mailbox.events[static_cast<size_t>(i)];
    }
}

void round_trip(uint16_t port, int count, uint32_t size) {
    Mailbox mailbox;
    const uint64_t connection = connect(mailbox, port);
    const std::vector<char> data(size, 'x');
    check("mode", gns_send(connection, "E", 1, GNS_SEND_RELIABLE, 0));
    std::vector<double> times;
    for (int i = -count / 10; i < count; ++i) { // the first ones warm up
        const double begin = seconds();
        check("send", gns_send(connection, data.data(), size, GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE, 0));
        next_message(mailbox);
        if (i >= 0) times.push_back((seconds() - begin) * 1e6);
    }
    std::sort(times.begin(), times.end());
    const auto at = [&](double q) { return times[static_cast<size_t>(q * static_cast<double>(times.size()))]; };
    std::printf("{\"p50\": %.2f, \"p99\": %.2f, \"p999\": %.2f}\n", at(.5), at(.99), at(.999));
    gns_close(connection, 1000, nullptr, 0, 1);
}

void one_way(uint16_t port, int count, uint32_t size, bool reliable) {
    Mailbox mailbox;
    const uint64_t connection = connect(mailbox, port);
    const std::vector<char> data(static_cast<size_t>(size) * batch_size, 'x');
    const std::vector<uint32_t> sizes(batch_size, size);
    check("mode", gns_send(connection, "S", 1, GNS_SEND_RELIABLE, 0));
    const double cpu = cpu_seconds();
    for (int sent = 0; sent < count;) {
        int64_t number;
        int32_t error;
        const int wanted = std::min(batch_size, count - sent);
        sent += static_cast<int>(check("send", gns_send_many(connection, data.data(), sizes.data(), wanted,
                                                             reliable ? GNS_SEND_RELIABLE : 0, 0, &number, &error)));
        if (error == 0) continue;
        if (error != -25) die("send", error);
        gns_send_queue queue;
        check("queue", gns_connection_send_queue(connection, &queue));
        check("drain", gns_connection_notify_drained(connection, queue.max_bytes / 2, queue.max_segments / 2));
        bool drained = false;
        while (!drained) {
            const int32_t got = mailbox.receive();
            if (got == 0) die("not drained", 0);
            for (int32_t i = 0; i < got; ++i) drained = drained || mailbox.events[static_cast<size_t>(i)].kind == GNS_EVENT_DRAINED;
        }
    }
    check("finish", gns_send(connection, "F", 1, GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE, 0));
    double sum[3];
    std::memcpy(sum, mailbox.data(next_message(mailbox)), sizeof sum);
    std::printf("{\"received\": %.0f, \"seconds\": %.6f, \"receiver_cpu\": %.6f, \"sender_cpu\": %.6f}\n", sum[0], sum[1], sum[2],
                cpu_seconds() - cpu);
    gns_close(connection, 1000, nullptr, 0, 1);
}

} // namespace

int main(int argc, char **argv) {
    check("start", gns_start(nullptr, 0));
    const std::string what = argc > 1 ? argv[1] : "";
    const auto number = [&](int i) { return std::atoi(argv[i]); };
    if (what == "serve")
        serve();
    else if (what == "round_trip" && argc == 5)
        round_trip(static_cast<uint16_t>(number(2)), number(3), static_cast<uint32_t>(number(4)));
    else if (what == "one_way" && argc == 6)
        one_way(static_cast<uint16_t>(number(2)), number(3), static_cast<uint32_t>(number(4)), number(5) != 0);
    else
        return 2;
    gns_stop(1'000'000);
    return 0;
}
