// The threads that serve GNS while they wait for messages. See docs/internals/serving.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>

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

    // After GNS has started, and before it stops, when no thread or loop may serve it any longer.
    void open();
    void close();

    // Receives from a mailbox, and serves GNS until there is something, if that is this thread's to do: see
    // gns_mailbox_receive.
    int32_t receive(Mailbox &mailbox, int64_t timeout_us, gns_event *events, int32_t max_events, void *payload,
                    uint64_t capacity, gns_batch *batch);
    // Waits until ready(), which is called under the connection's end_mutex, and serves GNS meanwhile if that is this
    // thread's to do. Returns 1, or 0 at the timeout.
    int32_t wait(Connection &connection, int64_t timeout_us, const std::function<bool()> &ready);
    // Returns the descriptor of a mailbox for an event loop, which is a guest from then on.
    int64_t descriptor(Mailbox &mailbox);
    // The loop has gone, or GNS is about to.
    void forget_loop(Mailbox &mailbox);

    // Sends what this thread has queued, after a message that should leave at once: itself, or by way of the pump.
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
    std::mutex leading_;              // held by the guest that serves
    int in_vain_ = 0;                 // turns in succession without an event; under leading_
    std::atomic<int> packets_{-1};    // the descriptor; -1: there is none, or no guest may use it
    std::atomic<bool> credit_{false}; // the next message may leave in the call that sends it
};

} // namespace gns_core
