#include "p2p.hpp"

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
