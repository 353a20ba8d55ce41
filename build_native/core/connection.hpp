// The core's own records of connections and listen sockets; GNS's handles never leave the core.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core_api.hpp"
#include "framing.hpp"
#include "gns/gns_native.hpp"

namespace gns_core {

class Admission;
class Mailbox;
class History;

// What a connection has queued or unacked. Outlives its connection, for GNS frees messages when it likes, on any thread:
// everything is atomic.
struct SendAccount {
    std::atomic<int64_t> bytes{0};
    std::atomic<int64_t> messages{0};
    std::atomic<int64_t> cost{0};       // segments, in 1/64
    std::atomic<bool> watched{false};   // somebody waits for it to drain: freeing wakes the pump
    std::atomic<int64_t> references{1}; // the connection's, and one for each message
};

inline void release(SendAccount *account) {
    if (account->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete account;
}

// The core's own options, at each scope.
struct QueueLimits {
    int32_t recv_bytes = 8 * 1024 * 1024;
    int32_t recv_messages = 65536;
    int32_t max_segments = 16384;
};

// What gns_connection_notify_drained waits for.
struct DrainBound {
    int64_t bytes = -1; // negative: nobody waits
    int64_t segments = -1;
};

// Whether no more than that is queued or unacked.
inline bool is_drained(const SendAccount &account, const DrainBound &bound) {
    return account.bytes.load() <= bound.bytes && account.cost.load() <= 64 * bound.segments;
}

struct ListenSocket {
    uint64_t handle = 0;
    std::shared_ptr<Admission> admission; // nullptr: no limits
    HSteamListenSocket native = k_HSteamListenSocket_Invalid; // pump only
    std::shared_ptr<Mailbox> mailbox;
    gns_address address{};
    QueueLimits limits; // pump only
};

struct Connection {
    Connection() : account(new SendAccount) {}
    ~Connection() { release(account); }
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    uint64_t handle = 0;
    uint64_t listen_socket = 0;
    bool inbound = false;
    bool in_memory = false; // GNS delivers to the other end inside of the sending call
    std::atomic<HSteamNetConnection> native{k_HSteamNetConnection_Invalid}; // 0 once GNS's connection is closed; pump writes
    std::atomic<int32_t> state{k_ESteamNetworkingConnectionState_None};
    std::atomic<bool> discard{false}; // closed here: unread messages are gone
    bool failed = false;              // pump only: it is to end as soon as there is memory for that

    // Receiving: what waits in the mailbox, against its bounds.
    std::atomic<int64_t> recv_bytes{0};
    std::atomic<int64_t> recv_messages{0};
    std::atomic<int32_t> recv_bytes_limit{0};
    std::atomic<int32_t> recv_messages_limit{0};

    // Sending.
    SendAccount *account;
    std::atomic<int32_t> send_bytes_limit{512 * 1024};
    std::atomic<int32_t> max_segments{16384};
    std::atomic<int32_t> segment_size{1100};
    std::vector<int64_t> last_number{0}; // per lane; under the pump queue's lock

    // Of sessions.
    FramedSends framed_sends; // under the pump queue's lock
    FramedReceives framed_receives;

    std::atomic<int32_t> drain_waiters{0}; // threads in gns_connection_wait_drained

    // Under end_mutex.
    std::mutex end_mutex;
    std::condition_variable changed; // it has ended, a pong has come, or, while somebody waits for that, it has less to send
    std::shared_ptr<Mailbox> mailbox;
    int64_t pongs = 0;
    int64_t round_trip_us = 0; // of the last one
    bool ended = false; // the terminal event has been pushed: nothing may follow it
    gns_connection_info last_info{};
    gns_connection_status last_status{};
    std::shared_ptr<History> history;

    // Under the pump queue's lock: what need not be queued once more.
    bool flushed = false;      // nothing was sent since the last flush
    bool drain_queued = false; // drain_asked will be taken
    DrainBound drain_asked;

    DrainBound drain; // pump only
};

struct ReleaseMessage {
    void operator()(SteamNetworkingMessage_t *message) const { message->Release(); }
};
using MessagePtr = std::unique_ptr<SteamNetworkingMessage_t, ReleaseMessage>;

// State from which a connection neither sends nor receives any more.
inline bool is_over(int32_t state) {
    return state != k_ESteamNetworkingConnectionState_Connecting && state != k_ESteamNetworkingConnectionState_FindingRoute &&
           state != k_ESteamNetworkingConnectionState_Connected;
}

// Waits on a connection's `changed`: 1 when ready, 0 at the timeout.
template <class Ready> int32_t wait_for(Connection &connection, int64_t timeout_us, const Ready &ready) {
    std::unique_lock lock(connection.end_mutex);
    if (timeout_us < 0) {
        connection.changed.wait(lock, ready);
        return 1;
    }
    return connection.changed.wait_for(lock, std::chrono::microseconds(timeout_us), ready) ? 1 : 0;
}

gns_connection_info to_info(const SteamNetConnectionInfo_t &native, uint64_t listen_socket);
gns_connection_status to_status(const SteamNetConnectionRealTimeStatus_t &native);
gns_address to_address(const SteamNetworkingIPAddr &native);
SteamNetworkingIPAddr to_native(const gns_address &address);
bool parse_identity(const char *text, int32_t size, SteamNetworkingIdentity *identity);

// So many messages of so many bytes count no more against the bounds of receiving.
inline void handled(Connection &connection, int64_t messages, int64_t bytes) {
    connection.recv_messages.fetch_sub(messages, std::memory_order_relaxed);
    connection.recv_bytes.fetch_sub(bytes, std::memory_order_relaxed);
}

// From now on its events go to another mailbox, with those that wait.
void move(Connection &connection, const std::shared_ptr<Mailbox> &mailbox);

// Puts an event into the connection's mailbox unless the connection has ended. Returns the mailbox if its reader must be
// signalled.
std::shared_ptr<Mailbox> push(Connection &connection, struct Event event);

// Ends a connection in the eyes of its owner: at most once, and nothing follows in its mailbox. info.state is the new
// state. Returns whether this call did it.
bool push_end(const std::shared_ptr<Connection> &connection, const gns_connection_info &info);
// The same, where GNS does not tell why.
bool push_end(const std::shared_ptr<Connection> &connection, int32_t state, int32_t reason, std::string_view text);

// What this side said when it ended the connection; untouched if it was not this side that did.
void said_at_end(Connection &connection, int32_t *reason, std::string *text);

} // namespace gns_core
