// The common ground of the core's tests: mailboxes read with deadlines, linked ends, options, announced log lines.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <steam/steamnetworkingtypes.h>

#include "check.hpp"
#include "core_api.hpp"

constexpr int32_t none = 0, connecting = 1, connected = 3, closed_by_peer = 4, problem_locally = 5;
// How many times slower everything is, roughly. Tests divide their numbers of small messages by it: GNS's
// search for what it must send again is quadratic in the unacked ones, and with a sanitizer it can take
// longer than the connection's timeout.
#if defined(__SANITIZE_THREAD__)
constexpr int instrumented = 8;
#elif defined(__SANITIZE_ADDRESS__)
constexpr int instrumented = 4;
#else
constexpr int instrumented = 1;
#endif
constexpr int64_t patience_us = 20'000'000; // what should arrive soon and has not by then never will

// ---- log ----

void begin_test(); // gns_start, and nothing announced
// Lines of level Bug and Error that contain this text are part of the test.
void expect_log(const std::string &text);
std::vector<std::string> unexpected_log_lines();

// ---- results ----

template <class T> T succeed(T result, const char *what, const char *file, int line) {
    if (result < 0)
        fail_test(file, line, std::string(what) + ": " + std::to_string(result) + " " + gns_last_error_text());
    return result;
}
#define OK(call) succeed(call, #call, __FILE__, __LINE__)

// ---- options ----

class Options {
public:
    Options &set(int32_t value, int64_t integer);
    const gns_option *data() const { return options_.data(); }
    int32_t size() const { return static_cast<int32_t>(options_.size()); }

private:
    std::vector<gns_option> options_;
};

Options rate(int64_t bytes_per_second);
inline Options fast() { return rate(20 << 20); }

// A simulated fault of the network, for the whole process, while it lives.
class Fault {
public:
    Fault(int32_t value, double amount);
    ~Fault();
    Fault(const Fault &) = delete;
    Fault &operator=(const Fault &) = delete;

private:
    int32_t value_;
};

// ---- events ----

struct Event : gns_event {
    std::string data;
    gns_connection_info info{}; // for a status or route event
    bool is_end() const { return kind == GNS_EVENT_STATUS && (new_state < connecting || new_state > connected); }
    bool is_message() const { return kind == GNS_EVENT_MESSAGE; }
    bool is_data() const { return kind == GNS_EVENT_DATA || kind == GNS_EVENT_ACK_DUE_DATA; }
};

// Appends what waits in a mailbox, at most max_events, after waiting up to timeout_us. Returns the call's result.
int32_t receive(uint64_t mailbox, int64_t timeout_us, std::vector<Event> *events, int32_t max_events = 256);

class Mailbox {
public:
    Mailbox();
    ~Mailbox();
    Mailbox(const Mailbox &) = delete;
    Mailbox &operator=(const Mailbox &) = delete;

    uint64_t handle = 0;
    // Returns the next event; fails the test if none arrives.
    Event next();
    // Returns the next one that fits, and drops those before it.
    Event until(const std::function<bool(const Event &)> &fits);
    Event message();
    Event end_of(uint64_t connection);
    // Returns everything that arrives within that time.
    std::vector<Event> all_within(int64_t timeout_us);

private:
    std::vector<Event> read_;
    size_t taken_ = 0;
};

// ---- connections ----

gns_address loopback(uint16_t port);
gns_address free_address(); // on loopback, with a port that is not in use

uint64_t listen(Mailbox &mailbox, const gns_address &address, const Options &options = {});
uint64_t connect(Mailbox &mailbox, const gns_address &address, const Options &options = {});
int64_t send(uint64_t connection, const std::string &data, int32_t flags = GNS_SEND_RELIABLE, uint16_t lane = 0);
int32_t close(uint64_t connection, int32_t reason = 1000, const std::string &text = "", bool linger = false);

// A listen socket, and clients that it has accepted; both ends' status events are read.
struct Link {
    explicit Link(const Options &server_options = {}, const Options &client_options = {});
    // Adds a client to these two mailboxes. Returns {the server's end, the client's end}.
    std::pair<uint64_t, uint64_t> add();

    Mailbox server;
    Mailbox client;
    Options client_options;
    gns_address address;
    uint64_t socket;
    uint64_t inbound;  // the server's end
    uint64_t outbound; // the client's
};

// Sends and receives one message each way.
void check_alive(Mailbox &mailbox_a, uint64_t a, Mailbox &mailbox_b, uint64_t b);

// Fails the test unless the condition holds in time.
void wait_until(const std::function<bool()> &condition, const char *what, int64_t timeout_us = patience_us);
