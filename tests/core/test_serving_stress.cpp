// Leaders, loops, threads that send and threads that wait for something else, coming and going.
#if defined(__linux__)

#include <poll.h>

#include <atomic>
#include <thread>

#include "core.hpp"

namespace {

constexpr int32_t at_once = GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE;

bool readable(int64_t fd, int timeout_ms) {
    pollfd descriptor{static_cast<int>(fd), POLLIN, 0};
    return ::poll(&descriptor, 1, timeout_ms) == 1;
}

} // namespace

TEST(serving_stress, all_come_and_go) {
    constexpr int64_t duration_us = 2'000'000;
    Link link(fast(), fast());
    std::atomic<bool> ended{false};
    std::atomic<int64_t> strange{0}, messages{0};
    const auto note = [&](int64_t result) {
        // Of the negative results: it has ended, or is not there yet; its lane is not; its queue is full.
        if (result < 0 && result != GNS_ERROR_BAD_HANDLE && result != -3 && result != -8 && result != -11 &&
            result != -25)
            strange.store(result);
        return result;
    };
    const auto read = [&](uint64_t mailbox, int64_t timeout_us) {
        std::vector<Event> events;
        note(receive(mailbox, timeout_us, &events));
        for (const Event &event : events) {
            if (event.is_message()) ++messages;
            if (event.is_message() && event.data == "echo") note(send(event.connection, "answer", at_once));
            if (event.old_state == none && event.new_state == connecting) note(gns_accept(event.connection, 0));
            if (event.is_end()) note(close(event.connection));
        }
    };
    const std::function<void()> jobs[] = {
        [&] { read(link.server.handle, 3000); }, // a leader, as long as it is alone
        [&] { read(link.server.handle, 0); },
        [&] {
            note(send(link.outbound, "echo", at_once));
            std::this_thread::sleep_for(std::chrono::microseconds(500));
        },
        [&] { // a loop that serves one connection
            uint64_t mailbox = 0, connection = 0;
            note(gns_mailbox_create(&mailbox));
            const int64_t fd = note(gns_mailbox_fd(mailbox));
            note(gns_connect(mailbox, &link.address, link.client_options.data(), link.client_options.size(), nullptr,
                             &connection));
            for (int i = 0; i < 30; ++i) {
                send(connection, "echo", at_once); // refused while it connects
                if (readable(fd, 5)) read(mailbox, 0);
            }
            note(close(connection));
            note(gns_mailbox_destroy(mailbox));
        },
        [&] { // a thread that waits for something else
            note(gns_connection_wait_drained(link.outbound, 2000, 0, 0));
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        },
        [&] { // two that read one loop's mailbox
            read(link.client.handle, 0);
            std::this_thread::yield();
        },
        [&] { read(link.client.handle, 0); },
        [&] {
            note(gns_mailbox_wake(link.server.handle));
            std::this_thread::sleep_for(std::chrono::milliseconds(3));
        },
    };
    OK(gns_mailbox_fd(link.client.handle));
    std::vector<std::thread> threads;
    for (const auto &job : jobs)
        threads.emplace_back([&] {
            while (!ended.load()) job();
        });
    std::this_thread::sleep_for(std::chrono::microseconds(duration_us));
    wait_until([&] { return messages.load() > 500; }, "enough has happened");
    ended.store(true);
    for (std::thread &thread : threads) thread.join();
    CHECK_EQUAL(strange.load(), int64_t{0});
    OK(gns_stop(0));
}

#endif
