#include "p2p.hpp"

#include <chrono>
#include <cstring>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

void start_as(const std::string &identity) {
    OK(gns_stop(0));
    OK(gns_start(identity.data(), static_cast<int32_t>(identity.size())));
}

Post post_of(const Event &event) {
    const auto size = static_cast<uint8_t>(event.data.at(0));
    return {event.data.substr(1, size), event.data.substr(1 + size_t{size})};
}

Postman::Postman(std::string own, Deliver deliver) : identity(std::move(own)), deliver_(std::move(deliver)) {
    if (!deliver_) deliver_ = [this](const Post &post) { give(identity, post.signal); };
    OK(gns_signalling_create(mailbox.handle, &signalling));
    thread_ = std::thread([this] { work(); });
}

Postman::~Postman() {
    stop();
    gns_signalling_destroy(signalling);
}

void Postman::stop() {
    over_ = true;
    gns_mailbox_wake(mailbox.handle);
    if (thread_.joinable()) thread_.join();
}

void Postman::join() { thread_.join(); }

void Postman::work() {
    while (!over_) {
        std::vector<Event> events;
        if (receive(mailbox.handle, 100'000, &events) < 0) return;
        for (const Event &event : events) {
            if (event.kind != GNS_EVENT_SIGNAL || event.connection != signalling) continue;
            const Post post = post_of(event);
            std::lock_guard lock(mutex_);
            seen_.push_back(post);
            deliver_(post);
        }
    }
}

int32_t Postman::give(const std::string &sender, const std::string &signal) const {
    return gns_signal(signalling, sender.data(), static_cast<int32_t>(sender.size()), signal.data(),
                      static_cast<int32_t>(signal.size()));
}

gns_signalling_counters Postman::counters() const {
    gns_signalling_counters counters{};
    OK(gns_signalling_counters_get(signalling, &counters));
    return counters;
}

std::vector<Post> Postman::seen() {
    std::lock_guard lock(mutex_);
    return seen_;
}

void Postman::set(Deliver deliver) {
    std::lock_guard lock(mutex_);
    deliver_ = std::move(deliver);
}

uint64_t listen_p2p(Mailbox &mailbox, const Postman &postman, int32_t port, const Options &options,
                    const gns_peer_policy *policy) {
    uint64_t socket = 0;
    OK(gns_p2p_listen(mailbox.handle, postman.signalling, port, options.data(), options.size(), policy, &socket));
    return socket;
}

uint64_t connect_p2p(Mailbox &mailbox, const Postman &postman, const std::string &identity, int32_t port,
                     const Options &options, const gns_peer_policy *policy) {
    uint64_t connection = 0;
    OK(gns_p2p_connect(mailbox.handle, postman.signalling, identity.data(), static_cast<int32_t>(identity.size()), port,
                       options.data(), options.size(), policy, &connection));
    return connection;
}

P2pLink::P2pLink(Postman &postman, int32_t port, const Options &options) {
    socket = listen_p2p(server, postman, port, options);
    outbound = connect_p2p(client, postman, postman.identity, port, options);
    inbound = server.until([](const Event &event) { return event.new_state == connecting; }).connection;
    OK(gns_accept(inbound, 0));
    const auto is_connected = [](const Event &event) {
        if (event.is_end()) FAIL("it ended: " + std::to_string(event.code) + " " + event.info.end_text);
        return event.new_state == connected;
    };
    server.until(is_connected);
    client.until(is_connected);
}

Wire::~Wire() {
    ::shutdown(descriptor_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(descriptor_);
}

void Wire::put(char kind, const std::string &data) const {
    const std::string packet = kind + data;
    ::send(descriptor_, packet.data(), packet.size(), MSG_NOSIGNAL); // the peer may be gone
}

void Wire::connect(const Postman &postman) {
    postman_ = &postman;
    thread_ = std::thread([this] { work(); });
}

void Wire::work() {
    std::vector<char> packet(65536);
    for (;;) {
        const ssize_t size = ::recv(descriptor_, packet.data(), packet.size(), 0);
        if (size <= 0) break;
        const std::string data(packet.data() + 1, static_cast<size_t>(size) - 1);
        std::lock_guard lock(mutex_);
        if (packet[0] == 'S') {
            if (hold_)
                hold_(data);
            else
                postman_->give(peer, data);
            continue;
        }
        words_.push_back(data);
        changed_.notify_all();
    }
    std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
}

void Wire::hold(std::function<void(const std::string &)> hold) {
    std::lock_guard lock(mutex_);
    hold_ = std::move(hold);
}

void Wire::await(const std::string &word) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::microseconds(patience_us), [this] { return over_ || !words_.empty(); });
    if (words_.empty()) FAIL("the peer never said '" + word + "'");
    const std::string said = words_.front();
    words_.pop_front();
    if (said != word) FAIL("the peer said '" + said + "' instead of '" + word + "'");
}

namespace {

std::vector<const PeerRole *> &all_roles() {
    static std::vector<const PeerRole *> roles;
    return roles;
}

} // namespace

PeerRole::PeerRole(const char *role_name, void (*role_work)(Wire &)) : name(role_name), work(role_work) {
    all_roles().push_back(this);
}

int play(const char *name, int descriptor) {
    std::string problem = "there is no such role";
    for (const PeerRole *const role : all_roles()) {
        if (std::strcmp(role->name, name) != 0) continue;
        problem.clear();
        try {
            OK(gns_log_set_level(2));
            start_as("str:bob");
            Wire wire(descriptor, "str:alice");
            role->work(wire);
        } catch (const std::exception &error) {
            problem = error.what();
        }
    }
    gns_stop(0);
    for (const std::string &line : unexpected_log_lines()) problem += "\n    logged by the peer's GNS: " + line;
    if (!problem.empty()) std::fprintf(stderr, "the peer failed: %s\n", problem.c_str());
    return problem.empty() ? 0 : 1;
}

PeerProcess::PeerProcess(const PeerRole &role) {
    OK(gns_stop(0));
    int ends[2];
    CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    CHECK(::fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0);
    const std::string descriptor = std::to_string(ends[1]);
    child_ = ::fork();
    CHECK(child_ >= 0);
    if (child_ == 0) {
        ::alarm(60);
        ::execl("/proc/self/exe", "core_tests", "--play", role.name, descriptor.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(ends[1]);
    wire = std::make_unique<Wire>(ends[0], "str:bob");
    start_as("str:alice");
}

void PeerProcess::join() {
    int status = 0;
    CHECK(::waitpid(std::exchange(child_, 0), &status, 0) > 0);
    CHECK_EQUAL(status, 0);
}

void PeerProcess::kill() {
    if (child_ == 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(std::exchange(child_, 0), nullptr, 0);
}

bool is_request(const Event &event) {
    return event.kind == GNS_EVENT_STATUS && event.old_state == none && event.new_state == connecting;
}

std::function<bool(const Event &)> reaches(int32_t state) {
    return [state](const Event &event) {
        if (event.is_end() && state != event.new_state)
            FAIL("it ended: " + std::to_string(event.code) + " " + event.info.end_text);
        return event.kind == GNS_EVENT_STATUS && event.new_state == state;
    };
}

Options ends_after(int64_t timeout_ms) { return Options().set(k_ESteamNetworkingConfig_TimeoutInitial, timeout_ms); }

namespace {

std::string varint(uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
    return out;
}

uint64_t read_varint(const std::string &from, size_t *at) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<uint8_t>(from.at((*at)++));
        value |= static_cast<uint64_t>(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
    }
}

// Calls visit(number, content, begin, end) for each field.
template <class Visit> void each_field(const std::string &signal, const Visit &visit) {
    for (size_t at = 0; at < signal.size();) {
        const size_t begin = at;
        const uint64_t key = read_varint(signal, &at);
        size_t size = 0;
        switch (key & 7) {
        case 0: {
            size_t end = at;
            read_varint(signal, &end);
            size = end - at;
            break;
        }
        case 1: size = 8; break;
        case 2: size = read_varint(signal, &at); break;
        case 5: size = 4; break;
        default: FAIL("not a field of GNS");
        }
        visit(static_cast<int>(key >> 3), signal.substr(at, size), begin, at + size);
        at += size;
    }
}

} // namespace

std::string bytes_field(int number, const std::string &value) {
    return varint(static_cast<uint64_t>(number) << 3 | 2) + varint(value.size()) + value;
}

std::string fixed32_field(int number, uint32_t value) {
    std::string out = varint(static_cast<uint64_t>(number) << 3 | 5);
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
    return out;
}

std::string varint_field(int number, uint64_t value) {
    return varint(static_cast<uint64_t>(number) << 3) + varint(value);
}

bool find_field(const std::string &signal, int number, std::string *value) {
    bool found = false;
    each_field(signal, [&](int each, const std::string &content, size_t, size_t) {
        if (each != number) return;
        found = true;
        *value = content;
    });
    return found;
}

uint32_t fixed32_of(const std::string &signal, int number) {
    std::string value;
    uint32_t result = 0;
    if (find_field(signal, number, &value)) std::memcpy(&result, value.data(), sizeof result);
    return result;
}

std::string without(const std::string &signal, int number) {
    std::string rest;
    each_field(signal, [&](int each, const std::string &, size_t begin, size_t end) {
        if (each != number) rest += signal.substr(begin, end - begin);
    });
    return rest;
}
