// The core's own records of connections and listen sockets; GNS's handles never leave the core.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core_api.hpp"
#include "gns/gns_native.hpp"
#include "handle_table.hpp"
#include "peer_policy.hpp"

namespace gns_core {

class Admission;
class Mailbox;
class History;
class Sleeper;
struct SignalPath;
struct Signalling;
struct Stream;

// The data that a connection has queued or unacked. It outlives its connection, because GNS frees messages whenever it
// likes, on any thread; therefore everything is atomic.
struct SendAccount {
    std::atomic<int64_t> bytes{0};
    std::atomic<int64_t> messages{0};
    std::atomic<int64_t> cost{0};       // segments, in 1/64
    std::atomic<bool> watched{false};   // a caller waits for it to drain: freeing a message wakes the pump
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

// The bounds that gns_connection_notify_drained waits for.
struct DrainBound {
    int64_t bytes = -1; // negative: no caller waits
    int64_t segments = -1;
};

// Returns whether at most that much is queued or unacked.
inline bool is_drained(const SendAccount &account, const DrainBound &bound) {
    return account.bytes.load() <= bound.bytes && account.cost.load() <= 64 * bound.segments;
}

struct ListenSocket {
    uint64_t handle = 0;
    std::shared_ptr<Admission> admission;                         // nullptr: no limits
    HSteamListenSocket gns_handle = k_HSteamListenSocket_Invalid; // serving thread only
    std::shared_ptr<Mailbox> mailbox;
    gns_address address{};
    QueueLimits limits;                       // serving thread only
    std::shared_ptr<const PeerPolicy> policy; // of its connections, or nullptr; serving thread only

    // Peer to peer.
    std::shared_ptr<Signalling> signalling; // nullptr: over UDP
    int32_t virtual_port = -1;
};

struct Connection {
    Connection() : account(new SendAccount) {}
    ~Connection() { release(account); }
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;

    uint64_t handle = 0;
    uint64_t listen_socket = 0;
    bool inbound = false;
    bool in_memory = false; // GNS delivers to the other end within the sending call
    // 0 once GNS's connection is closed; written by the serving thread.
    std::atomic<HSteamNetConnection> gns_handle{k_HSteamNetConnection_Invalid};
    std::atomic<int32_t> state{k_ESteamNetworkingConnectionState_None};
    std::atomic<bool> discard{false};         // closed here: unread messages are gone
    bool failed = false;                      // serving thread only: to be ended as soon as there is memory for that
    std::shared_ptr<const PeerPolicy> policy; // its own, or nullptr; serving thread only

    // Peer to peer; serving thread only, virtual_port aside, which does not change.
    std::shared_ptr<SignalPath> path; // nullptr: over UDP, or a pair
    int32_t virtual_port = -1;
    int32_t route = GNS_ROUTE_UNKNOWN; // the last one that was reported

    // Receiving: what waits in the mailbox, and its bounds.
    std::atomic<int64_t> recv_bytes{0};
    std::atomic<int64_t> recv_messages{0};
    std::atomic<int32_t> recv_bytes_limit{0};
    std::atomic<int32_t> recv_messages_limit{0};

    // Sending.
    SendAccount *account;
    std::atomic<int32_t> send_bytes_limit{512 * 1024};
    std::atomic<int32_t> max_segments{16384};
    std::atomic<int32_t> segment_size{1100};
    std::vector<int64_t> last_number{0}; // per lane; under the command queue's lock

    // Sessions.
    std::shared_ptr<Stream> stream;              // under the command queue's lock
    std::atomic<Stream *> unpacking_to{nullptr}; // the same one, for the serving thread, before which it does not go

    std::atomic<int32_t> drain_waiters{0}; // threads in gns_connection_wait_drained

    // Under end_mutex.
    std::mutex end_mutex;
    std::condition_variable
        changed;               // it has ended, a pong has arrived, or, while a thread waits for that, less is queued
    Sleeper *leader = nullptr; // of the thread that waits for one of these and serves GNS meanwhile, if any
    std::shared_ptr<Mailbox> mailbox;
    int64_t pongs = 0;
    int64_t round_trip_us = 0; // the last one
    bool ended = false;        // the terminal event has been pushed: nothing may follow it
    gns_connection_info last_info{};
    gns_connection_status last_status{};
    PeerProof proof; // changes on the serving thread only, in the handshake
    std::shared_ptr<History> history;

    // Under the command queue's lock: what need not be queued again.
    bool flushed = false;      // nothing was sent since the last flush
    bool drain_queued = false; // drain_asked is about to be taken
    DrainBound drain_asked;

    DrainBound drain; // serving thread only

    // Wakes the threads that wait for a change. Called with end_mutex held.
    void notify_changed();
};

using Connections = HandleTable<Connection>;
using ListenSockets = HandleTable<ListenSocket>;

struct ReleaseMessage {
    void operator()(SteamNetworkingMessage_t *message) const { message->Release(); }
};
using MessagePtr = std::unique_ptr<SteamNetworkingMessage_t, ReleaseMessage>;

// Returns whether a connection in this state neither sends nor receives again.
inline bool is_over(int32_t state) {
    return state != k_ESteamNetworkingConnectionState_Connecting &&
           state != k_ESteamNetworkingConnectionState_FindingRoute &&
           state != k_ESteamNetworkingConnectionState_Connected;
}

// Stops counting these messages and bytes against the receive limits.
inline void handled(Connection &connection, int64_t messages, int64_t bytes) {
    connection.recv_messages.fetch_sub(messages, std::memory_order_relaxed);
    connection.recv_bytes.fetch_sub(bytes, std::memory_order_relaxed);
}

// On the serving thread, or with end_mutex held.
gns_connection_info to_info(const SteamNetConnectionInfo_t &from, const Connection &connection);
gns_connection_status to_status(const SteamNetConnectionRealTimeStatus_t &from);
gns_address to_address(const SteamNetworkingIPAddr &from);
SteamNetworkingIPAddr to_gns(const gns_address &address);

} // namespace gns_core
