// Lets threads and loops that wait for messages serve GNS meanwhile. See docs/internals/serving.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <new>

#include "mailbox.hpp"
#include "pump/commands.hpp"
#include "pump/pace.hpp"
#include "pump/shift.hpp"
#include "pump/turns.hpp"

namespace gns_core {

class Guests {
public:
    Guests(CommandQueue &commands, Turns &turns, Shift &shift, Pace &pace, Sleeper &leader)
        : commands_(commands), turns_(turns), shift_(shift), pace_(pace), leader_(leader) {}

    // Called after GNS has started, and before it stops, when no thread or loop may serve it any longer.
    void open();
    void close();
    // In a forked child, while GNS does not run: the parent's threads do not exist here, whatever they were about to
    // do.
    void renew() { new (&leading_) std::mutex; }

    // See gns_mailbox_receive. Serves GNS until there is something to receive, if that falls to this thread.
    int32_t receive(Mailbox &mailbox, int64_t timeout_us, gns_event *events, int32_t max_events, void *payload,
                    uint64_t capacity, gns_batch *batch);
    // Waits until ready(), which is called under the connection's end_mutex, and serves GNS meanwhile if that falls to
    // this thread. Returns 1, or 0 at the timeout.
    int32_t wait(Connection &connection, int64_t timeout_us, const std::function<bool()> &ready);
    // Returns the descriptor of a mailbox for an event loop, which is a guest from then on.
    int64_t descriptor(Mailbox &mailbox);
    // Called when a mailbox's loop is gone, or GNS is about to stop.
    void forget_loop(Mailbox &mailbox);

    // Makes what this thread has queued leave: in a turn of its own, if it is to leave at once and the thread may take
    // one, or by waking the pump.
    void send_queued(bool at_once);

private:
    class Waiting;
    template <class Place> class Led;

    template <class Place> void lead(Place &place, int64_t until_us);
    void serve_loop(Mailbox &mailbox);
    bool is_worth_it(bool found);
    bool may_watch();

    CommandQueue &commands_;
    Turns &turns_;
    Shift &shift_;
    Pace &pace_;
    Sleeper &leader_;
    std::mutex leading_;              // held by the guest that leads or serves; taken before a turn's lock
    int in_vain_ = 0;                 // turns in succession without an event; under leading_
    std::atomic<int> packets_{-1};    // the descriptor; -1: there is none, or no guest may use it
    std::atomic<bool> credit_{false}; // the next message may leave in the call that sends it
};

} // namespace gns_core
