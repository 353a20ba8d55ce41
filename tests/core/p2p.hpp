// Peers in one process: its GNS has one identity, to which it can also connect. Signals go through a postman of the
// test's, who may do with them what a signalling service may, and more.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core.hpp"

constexpr int32_t finding_route = 2;

// A signal on its way.
struct Post {
    std::string to;
    std::string signal;
};

// Stops GNS, and starts it under an identity.
void start_as(const std::string &identity);

// Reads the signals of a signalling, and delivers them at once.
class Postman {
public:
    using Deliver = std::function<void(const Post &)>;

    // Delivers to this process itself, unless told otherwise.
    explicit Postman(std::string identity = "str:alice", Deliver deliver = nullptr);
    ~Postman();
    Postman(const Postman &) = delete;
    Postman &operator=(const Postman &) = delete;

    int32_t give(const std::string &sender, const std::string &signal) const;
    gns_signalling_counters counters() const;
    std::vector<Post> seen();
    void set(Deliver deliver);
    void stop();

    const std::string identity;
    Mailbox mailbox;
    uint64_t signalling = 0;

private:
    void work();

    std::mutex mutex_;
    Deliver deliver_;
    std::vector<Post> seen_;
    std::atomic<bool> over_{false};
    std::thread thread_;
};

Post post_of(const Event &event);

uint64_t listen_p2p(Mailbox &mailbox, const Postman &postman, int32_t port = 0, const Options &options = {},
                    const gns_peer_policy *policy = nullptr);
uint64_t connect_p2p(Mailbox &mailbox, const Postman &postman, const std::string &identity = "str:alice",
                     int32_t port = 0, const Options &options = {}, const gns_peer_policy *policy = nullptr);

// A listen socket, and a connection to it, both of this process.
struct P2pLink {
    explicit P2pLink(Postman &postman, int32_t port = 0, const Options &options = {});

    Mailbox server, client;
    uint64_t socket = 0, inbound = 0, outbound = 0;
};
