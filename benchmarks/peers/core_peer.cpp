// The same peers as in sync_peer.py and asyncio_peer.py, in C++, through the same core and pump.
//
// Usage: core_peer serve | round_trip PORT COUNT SIZE | one_way PORT COUNT SIZE RELIABLE
//        | world PLAYERS RATE TICKS STYLE | play PORT PLAYERS RATE
#include <algorithm>
#include <string>

#include "core_common.hpp"
#include "core_world.hpp"

namespace {

constexpr int batch_size = 256;

// Serves one connection at a time.
void serve() {
    Mailbox mailbox;
    mailbox.listen();
    Service service;
    const auto answer = [](const gns_event &event, const void *data, size_t size, uint32_t flags) {
        check("answer", gns_send(event.connection, data, static_cast<uint32_t>(size), flags | GNS_SEND_NO_NAGLE, 0));
    };
    for (;;) {
        const int32_t got = mailbox.receive(-1);
        for (int32_t i = 0; i < got; ++i) {
            const gns_event &event = mailbox.event(i);
            if (event.kind == GNS_EVENT_STATUS) {
                if (event.new_state == connecting) check("accept", gns_accept(event.connection, 0));
                if (event.new_state > connected) gns_close(event.connection, 1000, nullptr, 0, 0);
                if (event.new_state == connecting) service = Service();
            } else if (event.kind == GNS_EVENT_MESSAGE) {
                const char *const data = mailbox.data(event);
                const Service::Action action = service.take(data, event.size);
                if (action == Service::Action::echo) answer(event, data, event.size, event.flags);
                if (action != Service::Action::sum) continue;
                const std::vector<double> sum = service.sum();
                answer(event, sum.data(), sum.size() * sizeof(double), GNS_SEND_RELIABLE);
            }
        }
    }
}

const gns_event &next_message(Mailbox &mailbox) {
    for (;;) {
        const int32_t got = mailbox.receive();
        if (got == 0) die("no answer", 0);
        for (int32_t i = 0; i < got; ++i)
            if (mailbox.event(i).kind == GNS_EVENT_MESSAGE) return mailbox.event(i);
    }
}

void round_trip(uint16_t port, int count, uint32_t size) {
    Mailbox mailbox;
    const uint64_t connection = mailbox.connect(port);
    const std::vector<char> data(size, 'x');
    check("mode", gns_send(connection, "E", 1, GNS_SEND_RELIABLE, 0));
    measure_round_trips(count, [&] {
        check("send", gns_send(connection, data.data(), size, GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE, 0));
        next_message(mailbox);
    });
    gns_close(connection, 1000, nullptr, 0, 1);
}

void one_way(uint16_t port, int count, uint32_t size, bool reliable) {
    Mailbox mailbox;
    const uint64_t connection = mailbox.connect(port);
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
            for (int32_t i = 0; i < got; ++i) drained = drained || mailbox.event(i).kind == GNS_EVENT_DRAINED;
        }
    }
    check("finish", gns_send(connection, "F", 1, GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE, 0));
    double sum[3];
    std::memcpy(sum, mailbox.data(next_message(mailbox)), sizeof sum);
    report_one_way(sum, cpu_seconds() - cpu);
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
    else if (what == "world" && argc == 6)
        serve_world(number(2), number(3), number(4), std::string(argv[5]) == "as_it_comes");
    else if (what == "play" && argc == 5)
        play(static_cast<uint16_t>(number(2)), number(3), number(4));
    else
        return 2;
    gns_stop(1'000'000);
    return 0;
}
