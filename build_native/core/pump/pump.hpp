// The one thread that serves GNS: it carries out queued commands in order, polls, and fills the mailboxes.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "connection.hpp"

namespace gns_core {

// One thing for the pump to do. Exactly one of the members says what.
struct Command {
    struct Close {
        int32_t reason;
        bool linger;
        std::string text;
    };
    std::shared_ptr<Connection> connection;
    MessagePtr message; // send
    int64_t number = 0; // promised to the sender
    std::unique_ptr<Close> close;
    std::function<void()> task;
};

class Pump {
public:
    // GNS is initialised and in manual poll mode.
    void start();
    // Returns when all is delivered or the time is over, every connection is ended and the thread has gone.
    void stop(int64_t linger_us);
    // Keeps the pump out of GNS, so that it holds no lock of GNS's, until unpark(). Waits for that, but not for ever.
    void park();
    void unpark();

    // The queue's lock, for callers that must decide and enqueue in one step.
    std::mutex &queue_mutex() { return queue_mutex_; }
    void enqueue_locked(Command command) { queue_.push_back(std::move(command)); }
    bool accepting_locked() const { return accepting_; }
    // After enqueueing, without the lock.
    void wake();

    // False, and the command is dropped, if the pump has stopped.
    bool enqueue(Command command);
    // Runs a task on the pump thread and waits for it: false if the pump stopped instead.
    bool run(const std::function<void()> &task);

    // ---- pump thread only ----
    void adopt(const std::shared_ptr<Connection> &connection, HSteamNetConnection native);
    void adopt(const std::shared_ptr<ListenSocket> &socket) { listen_sockets_.push_back(socket); }
    size_t lingering() const { return lingering_.size(); }
    // Closes GNS's connection, if it still has one.
    void close_native(Connection &connection, int32_t reason, const char *text, bool linger);
    // Of the outgoing connections that were closed, and only wait for their peers' answer, the oldest is gone at once, with its
    // descriptor. False if there is none.
    bool drop_closed();
    void close_listen_socket(const std::shared_ptr<ListenSocket> &socket, int32_t reason, const std::string &text, bool linger);
    void watch_drain(const std::shared_ptr<Connection> &connection);
    void ping(const std::shared_ptr<Connection> &connection);
    // Notes the connection's status in it from now on; nullptr: no more.
    void keep_history(const std::shared_ptr<Connection> &connection, std::shared_ptr<History> history);
    void on_status_changed(const SteamNetConnectionStatusChangedCallback_t &change) noexcept;

private:
    // Closed here, still delivering; or closed listen sockets that wait for such.
    struct Lingering {
        uint64_t listen_socket;
        SendAccount *account;
        int64_t give_up_us;
        int64_t flushed_us; // when everything was acked; 0 before
    };

    void loop();
    void stay_parked();
    void set_alive(bool alive);
    // Does a piece of work of this connection's, or of nobody's. What it throws (std::bad_alloc, as a rule) ends that
    // connection, is logged, and does not touch what comes next. False if it threw.
    template <class Work> bool attempt(const std::shared_ptr<Connection> &connection, Work &&work) noexcept;
    void fail(const std::shared_ptr<Connection> &connection) noexcept;
    void end_failed() noexcept;
    void signal_later(std::shared_ptr<Mailbox> mailbox) noexcept;
    void signal_mailboxes() noexcept;
    // Whether GNS may have something for us that no packet announces, so that the next poll must not sleep.
    bool execute(std::vector<Command> &commands);
    void send(std::vector<Command> &commands, size_t begin, size_t end);
    void send_some(Command **batch, size_t count); // at most send_batch
    void poll(int timeout_ms);
    void receive_messages();
    void deliver(SteamNetworkingMessage_t *message) noexcept;
    void deliver(const std::shared_ptr<Connection> &connection, MessagePtr message);
    void status_changed(const std::shared_ptr<Connection> &connection, const SteamNetConnectionStatusChangedCallback_t &change);
    void receive_rest(const std::shared_ptr<Connection> &connection, HSteamNetConnection native);
    void accept_inbound(const SteamNetConnectionStatusChangedCallback_t &change);
    void overflow(const std::shared_ptr<Connection> &connection);
    void settle_drained();
    void settle_pings();
    void note_histories();
    int64_t next_note_us() const;
    void settle_lingering();
    void shut_down();

    std::mutex queue_mutex_;
    std::vector<Command> queue_;
    bool accepting_ = false; // under queue_mutex_
    std::atomic<bool> wake_pending_{false};
    std::atomic<bool> stopping_{false};
    std::atomic<int64_t> stop_deadline_us_{0};
    std::thread thread_;
    std::mutex park_mutex_;
    std::condition_variable park_changed_;
    int park_requests_ = 0; // these three under park_mutex_
    bool parked_ = false;
    bool alive_ = false; // the loop may be in GNS

    // Pump thread only. GNS's handles are unique in their low 16 bits among those that live.
    std::array<std::shared_ptr<Connection>, 65536> by_native_;
    std::vector<std::shared_ptr<ListenSocket>> listen_sockets_;
    struct ClosedListenSocket {
        uint64_t handle;
        HSteamListenSocket native;
    };
    std::vector<ClosedListenSocket> closed_listen_sockets_;
    struct Ping {
        std::shared_ptr<Connection> connection;
        int64_t packet; // 0: not sent yet
        int64_t sent_us;
    };
    std::vector<Ping> pings_;
    std::vector<Lingering> lingering_;
    std::deque<HSteamNetConnection> closed_; // outgoing, the oldest first
    std::vector<std::shared_ptr<Mailbox>> to_signal_;
    std::vector<std::shared_ptr<Connection>> watched_;
    std::vector<std::shared_ptr<Connection>> noted_; // those with a history
    bool some_failed_ = false;
    HSteamNetPollGroup poll_group_ = k_HSteamNetPollGroup_Invalid;

    std::shared_ptr<Connection> find(HSteamNetConnection native) const;
    std::shared_ptr<ListenSocket> find_listen_socket(HSteamListenSocket native) const;
};

// Has GNS give the ports of closed sockets back now; see gns_native.hpp. On the pump thread.
void free_closed_ports();

} // namespace gns_core
