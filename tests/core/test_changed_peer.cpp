// A peer whose GNS sends what no honest one does can do no harm to others, and little to the process.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <thread>
#include <unistd.h>

#include "core.hpp"

namespace {

constexpr int64_t mib = 1 << 20;

int64_t resident_bytes() {
    int64_t total = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * ::sysconf(_SC_PAGESIZE);
}

struct Outcome {
    std::string said;       // what the peer printed
    std::string end_text;   // of the server's end of its connection; empty if that stayed open
    int64_t messages = 0;   // empty ones that arrived from it
    int64_t memory = 0;     // by how much the process grew at most meanwhile
    int64_t slowest_us = 0; // round trip of a good client meanwhile
};

// Runs the changed peer against a server that also has a good client.
Outcome run_peer(const std::string &what, const Options &server_options = {}) {
    Link link(server_options);
    check_alive(link.server, link.inbound, link.client, link.outbound);
    const int64_t before = resident_bytes();
    Outcome outcome;
    const std::string command =
        std::string(CHANGED_PEER) + " " + std::to_string(link.address.port) + " " + what + " 2>&1";
    std::unique_ptr<FILE, int (*)(FILE *)> peer(::popen(command.c_str(), "r"), ::pclose);
    CHECK(peer != nullptr);
    std::atomic<bool> over{false};
    std::thread reader([&] {
        char line[4096];
        while (std::fgets(line, sizeof line, peer.get())) outcome.said += line;
        over = true;
    });
    uint64_t theirs = 0;
    int64_t pinged_us = 0;
    std::vector<Event> events;
    while (!over) {
        if (pinged_us == 0 && send(link.outbound, "ping", GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE) > 0)
            pinged_us = gns_time_us();
        events.clear();
        receive(link.server.handle, 1000, &events, 4096);
        for (const Event &event : events) {
            if (event.connection == link.inbound) {
                if (event.is_message()) send(link.inbound, "pong", GNS_SEND_RELIABLE | GNS_SEND_NO_NAGLE);
                continue;
            }
            if (event.kind == GNS_EVENT_STATUS && event.new_state == connecting) {
                theirs = event.connection;
                gns_accept(theirs, 0);
            }
            if (event.is_message() && event.data.empty()) ++outcome.messages;
            if (event.is_end()) outcome.end_text = event.info.end_text;
        }
        events.clear();
        receive(link.client.handle, 0, &events);
        for (const Event &event : events) {
            if (!event.is_message()) continue;
            outcome.slowest_us = std::max(outcome.slowest_us, gns_time_us() - pinged_us);
            pinged_us = 0;
        }
        outcome.memory = std::max(outcome.memory, resident_bytes() - before);
    }
    reader.join();
    check_alive(link.server, link.inbound, link.client, link.outbound);
    if (theirs == 0 || outcome.said.find("packets ") == std::string::npos) FAIL("the peer failed: " + outcome.said);
    // Generous: the attacks would take many seconds, and the machine may be busy.
    if (outcome.slowest_us > 1'000'000 * instrumented)
        FAIL(what + ": the good client waited " + std::to_string(outcome.slowest_us) + " us");
    return outcome;
}

void check_memory(const Outcome &outcome, int64_t limit) {
    if (instrumented > 1) return; // sanitizers use memory of their own
    if (outcome.memory > limit) FAIL("the process grew by " + std::to_string(outcome.memory / mib) + " MiB");
}

} // namespace

TEST(changed_peer, a_byte_far_ahead_on_one_lane) {
    const Outcome outcome = run_peer("gap 1 200000000");
    check_memory(outcome, 8 * mib);
    CHECK_EQUAL(outcome.end_text, "");
}

TEST(changed_peer, a_byte_far_ahead_on_every_lane) {
    const Outcome outcome = run_peer("gap 255 200000000");
    check_memory(outcome, 8 * mib);
    CHECK_EQUAL(outcome.end_text, "");
}

TEST(changed_peer, many_small_messages_at_once) {
    const Outcome outcome = run_peer("consume " + std::to_string(1'000'000 / instrumented));
    check_memory(outcome, 80 * mib);
}

TEST(changed_peer, none_of_many_small_messages_is_lost) {
    const int count = 200'000 / instrumented;
    const Outcome outcome =
        run_peer("consume " + std::to_string(count), Options().set(GNS_CONFIG_RECV_QUEUE_MESSAGES, 1 << 20));
    CHECK_EQUAL(outcome.end_text, "");
    if (outcome.messages < count - 2000 ||
        outcome.messages > count + 2000) // the last packets may be the ones that were lost
        FAIL(std::to_string(outcome.messages) + " of " + std::to_string(count) + " came; " + outcome.said);
}

TEST(changed_peer, unfinished_messages_on_many_lanes) {
    const Outcome outcome = run_peer(instrumented == 1 ? "unfinished 255" : "unfinished 16");
    // Where everything is slow, less than that arrives.
    if (instrumented == 1) CHECK(outcome.end_text.find("Too much of unfinished") != std::string::npos);
    check_memory(outcome, 100 * mib);
}

TEST(changed_peer, numbers_that_go_down) {
    const Outcome outcome = run_peer("descending " + std::to_string(400'000 / instrumented));
    check_memory(outcome, 200 * mib);
}

TEST(changed_peer, lanes_in_turn) { run_peer("rare " + std::to_string(400'000 / instrumented)); }

TEST(changed_peer, beginnings_of_unreliable_messages) {
    const Outcome outcome = run_peer("fragments 255");
    check_memory(outcome, 8 * mib);
    CHECK_EQUAL(outcome.end_text, "");
}

TEST(changed_peer, a_lane_that_no_sender_can_have) {
    CHECK_EQUAL(run_peer("lane 254").end_text, "");
    for (const char *lane : {"lane 255", "lane 256", "lane 70000"})
        CHECK(run_peer(lane).end_text.find("invalid lane") != std::string::npos);
}

TEST(changed_peer, a_size_that_never_ends) {
    CHECK(run_peer("varint").end_text.find("Invalid reliable message header") != std::string::npos);
}

TEST(changed_peer, acks_without_end) {
    CHECK(run_peer("acks 100").end_text.find("Too many acks") != std::string::npos);
}

TEST(changed_peer, numbers_beyond_all_bounds) { CHECK(run_peer("jump").end_text != ""); }

TEST(changed_peer, random_packets) {
    // Packets that no honest peer sends may trigger GNS's own assertions about gaps and timing; those are only logged.
    expect_log("Assertion Failed");
    expect_log("steamnetworkingsockets_snp.cpp(");
    run_peer("random 6 " + std::to_string(static_cast<int>(::getpid())));
}
