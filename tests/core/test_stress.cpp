// Everything at once, from many threads, with the stop in the middle of it.
#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "core.hpp"

namespace {

constexpr int64_t duration_us = 3'000'000;

// The connections that live, shared by all threads.
class Living {
public:
    void add(uint64_t connection) {
        std::lock_guard lock(mutex_);
        all_.push_back(connection);
    }
    uint64_t any() {
        std::lock_guard lock(mutex_);
        return all_.empty() ? 0 : all_[random_() % all_.size()];
    }
    uint64_t take() {
        std::lock_guard lock(mutex_);
        if (all_.size() < 8) return 0;
        const size_t index = random_() % all_.size();
        const uint64_t taken = all_[index];
        all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(index));
        return taken;
    }

private:
    std::mutex mutex_;
    std::vector<uint64_t> all_;
    std::minstd_rand random_{12345};
};

bool allowed(int64_t result) {
    switch (result) {
    case GNS_ERROR_NOT_RUNNING:
    case GNS_ERROR_BAD_HANDLE:
    case GNS_ERROR_BUFFER_TOO_SMALL:
    case -3:  // it has ended
    case -8:  // the lane does not exist yet
    case -11: // the request is gone
    case -25: // full
    case -41: // not connected
        return true;
    default: return result >= 0;
    }
}

} // namespace

TEST(stress, all_calls_from_all_threads) {
    const gns_option segments{GNS_CONFIG_MAX_UNACKED_SEGMENTS, GNS_TYPE_INT32, 512, 0, nullptr};
    OK(gns_config_set(GNS_SCOPE_GLOBAL, 0, &segments));
    Mailbox server, client;
    const gns_address address = free_address();
    const uint64_t socket = listen(server, address, fast());
    Living living;
    std::atomic<bool> ended{false};
    std::atomic<int64_t> strange{0}, messages{0}, opened{0}, closed{0};
    const auto note = [&](int64_t result) {
        if (!allowed(result)) strange.store(result);
        return result;
    };
    const auto serve = [&](uint64_t mailbox, bool echo) {
        std::vector<Event> events;
        for (;;) {
            events.clear();
            if (receive(mailbox, -1, &events, 64) < 0) return;
            for (const Event &event : events) {
                if (event.is_message()) {
                    ++messages;
                    if (echo && event.size < 100)
                        note(gns_send(event.connection, event.data.data(), event.size, event.flags, 0));
                } else if (event.old_state == none && event.new_state == connecting && event.info.listen_socket) {
                    if (note(gns_accept(event.connection, 0)) == 0) living.add(event.connection);
                } else if (event.is_end()) {
                    note(close(event.connection));
                }
            }
        }
    };
    const std::function<void()> jobs[] = {
        [&] { // sends
            const uint64_t connection = living.any();
            note(send(connection, std::string(static_cast<size_t>(opened.load() % 2000), 'x'), GNS_SEND_RELIABLE));
            note(send(connection, "y", GNS_SEND_NO_NAGLE));
        },
        [&] {
            const std::vector<uint32_t> sizes(20, 50);
            int64_t first = 0;
            int32_t error = 0;
            note(gns_send_many(living.any(), std::string(1000, 'z').data(), sizes.data(), 20, GNS_SEND_RELIABLE, 0,
                               &first, &error));
        },
        [&] {
            const uint64_t targets[] = {living.any(), living.any(), living.any()};
            int64_t results[3];
            note(gns_broadcast(targets, 3, "broadcast", 9, GNS_SEND_RELIABLE, 0, results));
            note(gns_connection_notify_drained(living.any(), 0, 0));
            note(gns_connection_wait_drained(living.any(), 1000, 1000, 10));
            note(gns_connection_wait_ended(living.any(), 100));
            note(gns_flush(living.any()));
        },
        [&] { // opens
            uint64_t connection = 0;
            if (opened - closed < 64 &&
                note(gns_connect(client.handle, &address, nullptr, 0, nullptr, &connection)) == 0) {
                ++opened;
                living.add(connection);
            }
            uint64_t pair[2] = {0, 0};
            if (opened % 8 == 0 && opened - closed < 64 &&
                note(gns_socket_pair(client.handle, client.handle, opened % 16 == 0, nullptr, 0, nullptr, 0, &pair[0],
                                     &pair[1])) == 0) {
                opened += 2;
                living.add(pair[0]);
                living.add(pair[1]);
            }
        },
        [&] { // closes
            const uint64_t connection = living.take();
            if (connection && note(close(connection, 1000, "stress", closed % 2 == 0)) == 0) ++closed;
            std::this_thread::sleep_for(std::chrono::microseconds(500));
        },
        [&] { // asks
            const uint64_t connection = living.any();
            gns_connection_info info;
            gns_connection_status status;
            gns_send_queue queue;
            char text[4096];
            note(gns_connection_info_get(connection, &info));
            note(gns_connection_status_get(connection, &status, 0, nullptr));
            note(gns_connection_send_queue(connection, &queue));
            note(gns_connection_details(connection, text, sizeof text));
            note(gns_connection_state(connection));
            note(gns_connection_get_name(connection, text, sizeof text));
        },
        [&] { // changes
            const uint64_t connection = living.any();
            const gns_option option{k_ESteamNetworkingConfig_NagleTime, GNS_TYPE_INT32, 2000, 0, nullptr};
            const gns_option bound{k_ESteamNetworkingConfig_SendBufferSize, GNS_TYPE_INT32, 400'000, 0, nullptr};
            note(gns_config_set(GNS_SCOPE_CONNECTION, connection, &option));
            note(gns_config_set(GNS_SCOPE_LISTEN_SOCKET, socket, &bound));
            note(gns_configure_lanes(connection, 2, nullptr, nullptr));
            note(gns_connection_set_user_data(connection, 7));
            note(gns_connection_set_name(connection, "stressed", 8));
            gns_log_set_level(2);
        },
        [&] { // mailboxes come and go
            uint64_t mailbox = 0;
            if (note(gns_mailbox_create(&mailbox)) < 0) return;
            note(gns_mailbox_fd(mailbox));
            uint64_t connection = 0;
            const bool connects =
                opened - closed < 64 && note(gns_connect(mailbox, &address, nullptr, 0, nullptr, &connection)) == 0;
            std::vector<Event> events;
            note(receive(mailbox, 1000, &events));
            note(gns_mailbox_wake(mailbox));
            note(gns_mailbox_destroy(mailbox));
            if (connects) note(close(connection));
        },
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back(serve, server.handle, true);
        threads.emplace_back(serve, client.handle, false);
    }
    for (const auto &job : jobs)
        threads.emplace_back([&] {
            while (!ended.load()) {
                job();
                std::this_thread::yield();
            }
        });
    std::this_thread::sleep_for(std::chrono::microseconds(duration_us));
    wait_until([&] { return messages.load() > 1000 && closed.load() > 50; }, "enough has happened");
    OK(gns_stop(50'000)); // in the middle of it
    ended.store(true);
    for (std::thread &thread : threads) thread.join();
    CHECK_EQUAL(strange.load(), int64_t{0});
    OK(gns_start(nullptr, 0));
    OK(gns_config_reset(GNS_SCOPE_GLOBAL, 0, segments.value));
}

TEST(stress, one_connection_with_many_senders) {
    constexpr int senders = 4, each = 3000 / instrumented;
    Link link(fast(), fast().set(GNS_CONFIG_MAX_UNACKED_SEGMENTS, 2048 / instrumented));
    std::vector<std::thread> threads;
    for (int i = 0; i < senders; ++i)
        threads.emplace_back([&, i] {
            for (int number = 0; number < each;)
                if (send(link.outbound, std::to_string(i) + ":" + std::to_string(number)) > 0)
                    ++number;
                else
                    std::this_thread::sleep_for(std::chrono::milliseconds(1));
        });
    int next[senders] = {};
    std::string wrong;
    for (int i = 0; i < senders * each && wrong.empty(); ++i) { // for each in order, none lost, none duplicated
        const Event event = link.server.message();
        const size_t colon = event.data.find(':');
        const int sender = std::stoi(event.data.substr(0, colon));
        if (std::stoi(event.data.substr(colon + 1)) != next[sender]++ || event.number != i + 1) wrong = event.data;
    }
    for (std::thread &thread : threads) thread.join();
    CHECK_EQUAL(wrong, "");
}
