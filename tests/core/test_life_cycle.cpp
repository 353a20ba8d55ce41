// gns_start, gns_stop, and what remains afterwards.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core.hpp"

TEST(life_cycle, starts_and_stops_20_times) {
    for (int i = 0; i < 20; ++i) {
        CHECK_EQUAL(gns_running(), 1);
        {
            Link link;
            check_alive(link.server, link.inbound, link.client, link.outbound);
            OK(gns_stop(0));
        }
        CHECK_EQUAL(gns_running(), 0);
        CHECK_EQUAL(gns_stop(0), 0);
        CHECK_EQUAL(gns_start(nullptr, 0), 0);
    }
}

TEST(life_cycle, has_one_identity_until_it_stops) {
    char text[128];
    OK(gns_identity(text));
    CHECK_EQUAL(std::string(text), "ip:::1");
    CHECK_EQUAL(gns_start(nullptr, 0), 1);
    CHECK_EQUAL(gns_start("str:alice", 9), GNS_ERROR_RUNNING);
    CHECK_EQUAL(std::string(gns_last_error_text()),
                "GNS already runs without an identity: stop it before it starts as str:alice");
    OK(gns_stop(0));
    CHECK_EQUAL(gns_start("nonsense", 8), GNS_ERROR_BAD_IDENTITY);
    CHECK_EQUAL(gns_start("str:al\0ice", 10), GNS_ERROR_BAD_IDENTITY);
    CHECK_EQUAL(gns_running(), 0);
    CHECK_EQUAL(gns_start("str:alice", 9), 0);
    CHECK_EQUAL(gns_start("str:alice", 9), 1);
    CHECK_EQUAL(gns_start(nullptr, 0), 1);
    CHECK_EQUAL(gns_start("str:bob", 7), GNS_ERROR_RUNNING);
    CHECK_EQUAL(std::string(gns_last_error_text()),
                "GNS already runs as str:alice: stop it before it starts as str:bob");
    OK(gns_identity(text));
    CHECK_EQUAL(std::string(text), "str:alice");
}

TEST(life_cycle, identities_are_parsed_without_it) {
    OK(gns_stop(0));
    char text[128];
    const auto parse = [&](const std::string &identity) {
        return gns_identity_parse(identity.data(), static_cast<int32_t>(identity.size()), text);
    };
    OK(parse("str:Locke Lamora"));
    CHECK_EQUAL(std::string(text), "str:Locke Lamora");
    OK(parse("gen:0A0b"));
    CHECK_EQUAL(std::string(text), "gen:0a0b");
    CHECK_EQUAL(parse(""), GNS_ERROR_BAD_IDENTITY);
    CHECK_EQUAL(parse("str:" + std::string(32, 'x')), GNS_ERROR_BAD_IDENTITY);
    CHECK_EQUAL(parse(std::string("str:a\0b", 7)), GNS_ERROR_BAD_TEXT);
    CHECK_EQUAL(parse(std::string(128, 'x')), GNS_ERROR_BAD_TEXT);
}

TEST(life_cycle, nothing_works_while_it_is_stopped) {
    OK(gns_stop(0));
    uint64_t handle = 0, other = 0;
    const gns_address address = loopback(1);
    const gns_option option{k_ESteamNetworkingConfig_SendRateMin, GNS_TYPE_INT32, 1024, 0, nullptr};
    gns_option read;
    gns_connection_info info;
    gns_connection_status status;
    gns_send_queue queue;
    char text[128];
    int64_t number = 0;
    int32_t error = 0;
    const uint32_t size = 1;
    CHECK_EQUAL(gns_mailbox_create(&handle), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_listen(1, &address, nullptr, 0, nullptr, nullptr, &handle), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connect(1, &address, nullptr, 0, nullptr, &handle), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_socket_pair(1, 1, 0, nullptr, 0, nullptr, 0, &handle, &other), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_listen_address(1, nullptr), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_listen_close(1, 1000, nullptr, 0, 0), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_accept(1, 0), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_close(1, 1000, nullptr, 0, 0), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_send(1, "x", 1, 0, 0), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_send_many(1, "x", &size, 1, 0, 0, &number, &error), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_broadcast(&handle, 1, "x", 1, 0, 0, &number), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_flush(1), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_configure_lanes(1, 1, nullptr, nullptr), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_send_queue(1, &queue), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_notify_drained(1, 0, 0), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_wait_drained(1, -1, 0, 0), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_state(1), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_wait_ended(1, -1), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_info_get(1, &info), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_status_get(1, &status, 0, nullptr), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_details(1, text, 128), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_set_name(1, "x", 1), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_get_name(1, text, 128), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_connection_set_user_data(1, 1), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_config_set(GNS_SCOPE_GLOBAL, 0, &option), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_config_reset(GNS_SCOPE_GLOBAL, 0, option.value), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_config_get(GNS_SCOPE_GLOBAL, 0, option.value, &read, text, 128), GNS_ERROR_NOT_RUNNING);
    CHECK_EQUAL(gns_identity(text), GNS_ERROR_NOT_RUNNING);
    CHECK(gns_time_us() > 0);
}

TEST(life_cycle, stop_ends_what_is_open_and_who_waits) {
    constexpr int count = 4;
    Link link;
    Mailbox idle;
    std::atomic<int> waiting{0};
    std::vector<int32_t> results(count);
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i)
        threads.emplace_back([&, i] {
            std::vector<Event> events;
            ++waiting;
            results[static_cast<size_t>(i)] = receive(idle.handle, -1, &events);
        });
    wait_until([&] { return waiting.load() == count; }, "all threads are there");
    OK(gns_stop(0));
    for (std::thread &thread : threads) thread.join();
    for (const int32_t result : results) CHECK_EQUAL(result, GNS_ERROR_NOT_RUNNING);
    for (Mailbox *mailbox : {&link.server, &link.client}) {
        const Event end = mailbox->next(); // still readable, and the only one
        CHECK(end.is_end());
        CHECK_EQUAL(end.old_state, connected);
        CHECK_EQUAL(end.new_state, none);
        CHECK_EQUAL(end.code, GNS_END_SHUTDOWN);
        std::vector<Event> rest;
        CHECK_EQUAL(receive(mailbox->handle, -1, &rest), GNS_ERROR_NOT_RUNNING);
    }
}

TEST(life_cycle, stop_delivers_what_lingers) {
    for (const int64_t linger_us : {patience_us, int64_t{0}}) {
        Link link({}, rate(400'000));
        for (int i = 0; i < 20; ++i) OK(send(link.outbound, std::string(10'000, 'x')));
        OK(close(link.outbound, 1000, "bye", true));
        OK(gns_stop(linger_us));
        size_t messages = 0;
        std::vector<Event> events;
        while (receive(link.server.handle, 0, &events) > 0) {
        }
        for (const Event &event : events) messages += event.is_message();
        CHECK(linger_us > 0 ? messages == 20 : messages < 20);
        if (linger_us > 0) CHECK_EQUAL(events.back().code, 1000);
        OK(gns_start(nullptr, 0));
    }
}

TEST(life_cycle, handles_of_the_last_run_are_dead_in_the_next) {
    Link link;
    OK(gns_stop(0));
    CHECK_EQUAL(gns_connection_state(link.outbound), GNS_ERROR_NOT_RUNNING);
    OK(gns_start(nullptr, 0));
    Link next;
    gns_address address;
    for (const uint64_t old : {link.inbound, link.outbound}) {
        CHECK_EQUAL(gns_connection_state(old), GNS_ERROR_BAD_HANDLE);
        CHECK_EQUAL(send(old, "x"), GNS_ERROR_BAD_HANDLE);
        CHECK_EQUAL(close(old), GNS_ERROR_BAD_HANDLE);
    }
    CHECK_EQUAL(gns_listen_address(link.socket, &address), GNS_ERROR_BAD_HANDLE);
    CHECK_EQUAL(link.server.next().code, GNS_END_SHUTDOWN);
    check_alive(next.server, next.inbound, next.client, next.outbound);
}

TEST(life_cycle, stops_under_the_hands_of_others) {
    for (int round = 0; round < 5; ++round) {
        Link link;
        std::atomic<bool> ended{false};
        std::atomic<int> calls{0};
        std::atomic<int32_t> strange{0};
        const auto note = [&](int64_t result) {
            ++calls;
            if (result < 0 && result != GNS_ERROR_NOT_RUNNING && result != GNS_ERROR_BAD_HANDLE && result != -25 &&
                result != -3)
                strange.store(static_cast<int32_t>(result));
        };
        const gns_option option{k_ESteamNetworkingConfig_NagleTime, GNS_TYPE_INT32, 1000, 0, nullptr};
        const std::function<void()> jobs[] = {
            [&] { note(send(link.outbound, "x", 0)); },
            [&] {
                gns_connection_info info;
                note(gns_connection_info_get(link.inbound, &info));
            },
            [&] { note(gns_config_set(GNS_SCOPE_CONNECTION, link.outbound, &option)); },
            [&] {
                uint64_t a = 0, b = 0;
                note(gns_socket_pair(link.server.handle, link.server.handle, 0, nullptr, 0, nullptr, 0, &a, &b));
                if (a) note(close(a));
            },
            [&] {
                uint64_t mailbox = 0;
                std::vector<Event> events;
                if (gns_mailbox_create(&mailbox) != 0) return;
                if (gns_running() == 0) note(receive(mailbox, -1, &events)); // created late: must not wait forever
                note(gns_mailbox_destroy(mailbox));
            },
        };
        std::vector<std::thread> threads;
        for (const auto &job : jobs)
            threads.emplace_back([&] {
                while (!ended.load()) job();
            });
        wait_until([&] { return calls.load() > 200; }, "calls");
        OK(gns_stop(0));
        ended.store(true);
        for (std::thread &thread : threads) thread.join();
        CHECK_EQUAL(strange.load(), 0);
        OK(gns_start(nullptr, 0));
    }
}

TEST(life_cycle, starts_and_stops_from_several_threads) {
    std::vector<std::thread> threads;
    std::atomic<int> strange{0};
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < 10; ++round)
                if (gns_start(nullptr, 0) < 0 || gns_stop(0) != 0) ++strange;
        });
    for (std::thread &thread : threads) thread.join();
    CHECK_EQUAL(strange.load(), 0);
    CHECK_EQUAL(gns_running(), 0);
}

TEST(life_cycle, a_forked_child_is_told) {
    Link link;
    const pid_t child = ::fork();
    if (child == 0) {
        uint64_t handle = 0;
        const bool told = gns_running() == GNS_ERROR_FORKED && gns_start(nullptr, 0) == GNS_ERROR_FORKED &&
                          gns_stop(0) == GNS_ERROR_FORKED && send(link.outbound, "x") == GNS_ERROR_FORKED &&
                          gns_mailbox_create(&handle) == GNS_ERROR_FORKED &&
                          gns_mailbox_wake(link.server.handle) == GNS_ERROR_FORKED;
        ::_exit(told ? 0 : 1);
    }
    int status = -1;
    CHECK_EQUAL(::waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
    check_alive(link.server, link.inbound, link.client, link.outbound);
}
