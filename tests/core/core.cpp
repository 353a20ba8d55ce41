#include "core.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace {
std::vector<std::string> announced;
}

void begin_test() {
    announced.clear();
    OK(gns_log_set_level(2));
    OK(gns_start(nullptr, 0));
}

void expect_log(const std::string &text) { announced.push_back(text); }

std::vector<std::string> unexpected_log_lines() {
    std::vector<std::string> unexpected;
    std::vector<gns_log_record> records(64);
    int64_t dropped = 0;
    for (int32_t count = 1; count > 0;) {
        int64_t lost = 0;
        count = gns_log_receive(records.data(), static_cast<int32_t>(records.size()), &lost);
        dropped += lost;
        for (int32_t i = 0; i < count; ++i) {
            const gns_log_record &record = records[static_cast<size_t>(i)];
            const auto matches = [&](const std::string &text) {
                return std::strstr(record.text, text.c_str()) != nullptr;
            };
            if (record.level <= 2 && std::none_of(announced.begin(), announced.end(), matches))
                unexpected.push_back(std::to_string(record.level) + " " + record.text);
        }
    }
    if (dropped > 0) unexpected.push_back(std::to_string(dropped) + " lines were lost");
    return unexpected;
}

Options &Options::set(int32_t value, int64_t integer) {
    options_.push_back({value, GNS_TYPE_INT32, integer, 0, nullptr});
    return *this;
}

Options rate(int64_t bytes_per_second) {
    return Options()
        .set(k_ESteamNetworkingConfig_SendRateMin, bytes_per_second)
        .set(k_ESteamNetworkingConfig_SendRateMax, bytes_per_second);
}

Fault::Fault(int32_t value, double amount) : value_(value) {
    int32_t type = 0, scope = 0;
    CHECK(gns_config_info(value, &type, &scope) != nullptr);
    const gns_option option{value, type, static_cast<int64_t>(amount), amount, nullptr};
    OK(gns_config_set(GNS_SCOPE_GLOBAL, 0, &option));
}

Fault::~Fault() {
    if (gns_running() == 1) gns_config_reset(GNS_SCOPE_GLOBAL, 0, value_);
}

int32_t receive(uint64_t mailbox, int64_t timeout_us, std::vector<Event> *events, int32_t max_events) {
    std::vector<gns_event> records(static_cast<size_t>(max_events));
    std::vector<uint64_t> payload((256 << 10) / sizeof(uint64_t)); // for its alignment
    gns_batch batch;
    const auto call = [&] {
        return gns_mailbox_receive(mailbox, timeout_us, records.data(), max_events, payload.data(),
                                   payload.size() * sizeof(uint64_t), &batch);
    };
    int32_t count = call();
    if (count == GNS_ERROR_BUFFER_TOO_SMALL) {
        payload.resize(batch.payload / sizeof(uint64_t) + 1);
        count = call();
    }
    for (int32_t i = 0; i < count; ++i) {
        Event event;
        static_cast<gns_event &>(event) = records[static_cast<size_t>(i)];
        const char *const data = reinterpret_cast<const char *>(payload.data()) + event.offset;
        event.data.assign(data, event.size);
        if (event.kind == GNS_EVENT_STATUS || event.kind == GNS_EVENT_ROUTE)
            std::memcpy(&event.info, data, sizeof event.info);
        events->push_back(std::move(event));
    }
    return count;
}

Mailbox::Mailbox() { OK(gns_mailbox_create(&handle)); }
Mailbox::~Mailbox() { gns_mailbox_destroy(handle); }

Event Mailbox::next() {
    if (taken_ == read_.size()) {
        read_.clear();
        taken_ = 0;
        const int64_t deadline = gns_time_us() + patience_us;
        while (read_.empty() && gns_time_us() < deadline) OK(receive(handle, deadline - gns_time_us(), &read_));
        if (read_.empty()) FAIL("no event arrived");
    }
    return std::move(read_[taken_++]);
}

Event Mailbox::until(const std::function<bool(const Event &)> &fits) {
    for (;;) {
        Event event = next();
        if (fits(event)) return event;
    }
}

Event Mailbox::message() {
    return until([](const Event &event) {
        if (event.is_end())
            FAIL("the end arrived instead of a message: " + std::to_string(event.code) + " " + event.info.end_text);
        return event.is_message();
    });
}

Event Mailbox::end_of(uint64_t connection) {
    return until([connection](const Event &event) { return event.connection == connection && event.is_end(); });
}

std::vector<Event> Mailbox::all_within(int64_t timeout_us) {
    std::vector<Event> all(std::make_move_iterator(read_.begin() + static_cast<std::ptrdiff_t>(taken_)),
                           std::make_move_iterator(read_.end()));
    read_.clear();
    taken_ = 0;
    const int64_t deadline = gns_time_us() + timeout_us;
    while (gns_time_us() < deadline)
        if (receive(handle, deadline - gns_time_us(), &all) == GNS_ERROR_NOT_RUNNING) break;
    return all;
}

gns_address loopback(uint16_t port) {
    gns_address address{};
    const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1};
    std::memcpy(address.ip, mapped, sizeof mapped);
    address.port = port;
    return address;
}

gns_address free_address() {
    const int probe = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool bound = ::bind(probe, reinterpret_cast<sockaddr *>(&address), size) == 0 &&
                       ::getsockname(probe, reinterpret_cast<sockaddr *>(&address), &size) == 0;
    ::close(probe);
    CHECK(bound);
    return loopback(ntohs(address.sin_port));
}

uint64_t listen(Mailbox &mailbox, const gns_address &address, const Options &options) {
    uint64_t socket = 0;
    OK(gns_listen(mailbox.handle, &address, options.data(), options.size(), nullptr, nullptr, &socket));
    return socket;
}

uint64_t connect(Mailbox &mailbox, const gns_address &address, const Options &options) {
    uint64_t connection = 0;
    OK(gns_connect(mailbox.handle, &address, options.data(), options.size(), nullptr, &connection));
    return connection;
}

int64_t send(uint64_t connection, const std::string &data, int32_t flags, uint16_t lane) {
    return gns_send(connection, data.data(), static_cast<uint32_t>(data.size()), flags, lane);
}

int32_t close(uint64_t connection, int32_t reason, const std::string &text, bool linger) {
    return gns_close(connection, reason, text.data(), static_cast<int32_t>(text.size()), linger);
}

Link::Link(const Options &server_options, const Options &options) : client_options(options), address(free_address()) {
    socket = listen(server, address, server_options);
    const auto [first, second] = add();
    inbound = first;
    outbound = second;
}

std::pair<uint64_t, uint64_t> Link::add() {
    const uint64_t far = connect(client, address, client_options);
    const auto is_request = [](const Event &event) { return event.old_state == none && event.new_state == connecting; };
    const uint64_t near = server.until(is_request).connection;
    OK(gns_accept(near, 0));
    const auto is_connected = [](uint64_t connection) {
        return
            [connection](const Event &event) { return event.connection == connection && event.new_state == connected; };
    };
    server.until(is_connected(near));
    client.until(is_connected(far));
    return {near, far};
}

void check_alive(Mailbox &mailbox_a, uint64_t a, Mailbox &mailbox_b, uint64_t b) {
    OK(send(a, "ping"));
    OK(send(b, "pong"));
    const auto is = [](uint64_t connection, const char *text) {
        return [=](const Event &event) {
            return event.is_message() && event.connection == connection && event.data == text;
        };
    };
    mailbox_b.until(is(b, "ping"));
    mailbox_a.until(is(a, "pong"));
}

void wait_until(const std::function<bool()> &condition, const char *what, int64_t timeout_us) {
    const int64_t deadline = gns_time_us() + timeout_us;
    while (!condition()) {
        if (gns_time_us() > deadline) FAIL(std::string("never happened: ") + what);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}
