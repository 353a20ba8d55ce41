// Peers in one process: its GNS has one identity, to which it can also connect. Signals go through a postman of the
// test's, who may do with them what a signalling service may, and more.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
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
    void join(); // returns when GNS is stopped, and everything is delivered

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

// A peer in a process of its own: this program, with a role to play. Both sides have one end of the wire, over which
// their postmen deliver, and over which they say how far they are.
class Wire {
public:
    Wire(int descriptor, std::string identity) : peer(std::move(identity)), descriptor_(descriptor) {}
    ~Wire();
    Wire(const Wire &) = delete;
    Wire &operator=(const Wire &) = delete;

    void deliver(const Post &post) { put('S', post.signal); }
    void say(const std::string &word) { put('W', word); }
    void await(const std::string &word); // fails the test unless this is what the peer says next
    // Gives what the peer's postman delivers to this postman, until the wire goes.
    void connect(const Postman &postman);

    // Hands the peer's signals over instead; nullptr: no longer.
    void hold(std::function<void(const std::string &)> hold);

    const std::string peer; // its identity

private:
    void put(char kind, const std::string &data) const;
    void work();

    int descriptor_;
    const Postman *postman_ = nullptr;
    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> words_;
    std::function<void(const std::string &)> hold_;
    bool over_ = false;
};

// The work of such a peer.
struct PeerRole {
    PeerRole(const char *role_name, void (*role_work)(Wire &));
    const char *const name;
    void (*const work)(Wire &);
};
// Plays a role with this end of a wire, as bob, and returns the exit code. For main().
int play(const char *name, int descriptor);

class PeerProcess {
public:
    // Stops GNS and starts it as alice.
    explicit PeerProcess(const PeerRole &role);
    ~PeerProcess() { kill(); }
    void join(); // fails the test unless the child has succeeded
    void kill(); // at once

    std::unique_ptr<Wire> wire;

private:
    int child_ = 0;
};

bool is_request(const Event &event);
std::function<bool(const Event &)> reaches(int32_t state); // fails the test if the connection ends instead
Options ends_after(int64_t timeout_ms);                    // if it is not established by then

// ---- signals as bytes: fields of CMsgSteamNetworkingP2PRendezvous ----

enum Field {
    to_number = 1,
    connect_request = 4,
    connection_closed = 6,
    ice_enabled = 7,
    from_identity = 8,
    from_number = 9,
    first_reliable = 12,
    reliable_message = 13,
    application_message = 15,
};
// Each makes one field; a later one of the same number takes the place of an earlier one.
std::string bytes_field(int number, const std::string &value);
std::string fixed32_field(int number, uint32_t value);
std::string varint_field(int number, uint64_t value);
// Returns the content of the last field of that number, without its frame, and whether there is one.
bool find_field(const std::string &signal, int number, std::string *value);
uint32_t fixed32_of(const std::string &signal, int number); // 0 if there is none
// Returns a signal without the fields of that number.
std::string without(const std::string &signal, int number);

// A listen socket, and a connection to it, both of this process.
struct P2pLink {
    explicit P2pLink(Postman &postman, int32_t port = 0, const Options &options = {});

    Mailbox server, client;
    uint64_t socket = 0, inbound = 0, outbound = 0;
};
