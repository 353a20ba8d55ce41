// Where events wait for their reader: a queue, a condition variable for threads, a descriptor for event loops.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "connection.hpp"
#include "packet_watch.hpp"
#include "signalling.hpp"
#include "sleeper.hpp"
#include "waker.hpp"

namespace gns_core {

struct Event {
    int32_t kind = 0;
    int32_t old_state = 0;
    int32_t new_state = 0;
    int32_t code = 0;
    int64_t number = 0;
    int64_t time_us = 0;
    std::shared_ptr<Connection> connection; // nullptr for a signal
    MessagePtr message;
    uint32_t prefix = 0; // bytes of the message that precede the payload
    uint16_t flags = 0;
    std::unique_ptr<gns_connection_info> info;
    std::unique_ptr<LeavingSignal> signal;

    uint32_t payload_size() const;
};

class Mailbox {
public:
    uint64_t handle = 0;

    // Returns whether it was empty: then the caller signals it, at once or after more events.
    bool push(Event event);
    void signal();
    // See gns_mailbox_receive; leaves batch->logs to the caller.
    int32_t receive(int64_t timeout_us, gns_event *events, int32_t max_events, void *payload, uint64_t capacity,
                    gns_batch *batch);
    // Returns a descriptor for an event loop, which is then watched by one.
    int64_t descriptor();
    void notify(int64_t socket);
    // Returns whether something other than a waiting thread is signalled for its events.
    bool has_waker();
    // Returns whether a receive would return at once.
    bool has_something();

    // Note that its loop is counted as a guest, or no longer. Return whether that is new.
    bool begin_loop();
    bool end_loop();
    // Makes the loop's descriptor readable while packets wait, too; -1: no longer.
    void watch_packets(int packets);
    bool has_loop();
    bool watches_packets();

    // Notes that its reader sleeps as the leader, so that its events wake that sleeper; nullptr: no longer.
    void set_leader(Sleeper *leader);
    // While this lives, its thread is about to read the mailbox, and needs no signal for it.
    class Own {
    public:
        explicit Own(const Mailbox &mailbox) { own_ = &mailbox; }
        ~Own() { own_ = nullptr; }
        Own(const Own &) = delete;
        Own &operator=(const Own &) = delete;
    };
    // Lets messages that are handed out count against their connections' limits until they are handled.
    void count_until_handled();
    // Moves a connection's events to another mailbox, in their order. The caller holds the connection's end_mutex.
    void move_events(const Connection &connection, Mailbox &target);
    void wake();
    // destroyed: it will not be read again. Otherwise the runtime has stopped, and what waits can still be read.
    void shut(bool destroyed);

private:
    bool wait(std::unique_lock<std::mutex> &lock, int64_t timeout_us);
    void attach_locked(std::unique_ptr<Waker> waker);
    bool has_something_locked() const { return !events_.empty() || woken_ || stopped_ || destroyed_; }

    inline static thread_local const Mailbox *own_ = nullptr;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Event> events_;
    std::unique_ptr<Waker> waker_;
    std::unique_ptr<PacketWatch> watch_; // of the waker that is not borrowed
    Sleeper *leader_ = nullptr;
    bool has_loop_ = false;
    bool woken_ = false;
    bool counts_until_handled_ = false;
    bool stopped_ = false;
    bool destroyed_ = false;
};

} // namespace gns_core
