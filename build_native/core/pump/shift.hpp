// Keeps track of which thread is in charge of GNS's sockets: the pump, or a guest that waits for messages. See
// docs/internals/serving.md.
#pragma once

#include <atomic>

#include "sleeper.hpp"

namespace gns_core {

class Shift {
public:
    Shift(Sleeper &pump, Sleeper &leader) : pump_(pump), leader_(leader) {}

    bool guest_in_charge() const { return guest_.load(); }

    bool thread_is_alone() const { return threads_.load() == 1 && loops_.load() == 0; }
    bool loop_is_alone() const { return threads_.load() == 0 && loops_.load() == 1; }
    // Puts a guest in charge if it is the only one. Returns whether it is.
    bool begin_as_thread() {
        return begin([this] { return thread_is_alone(); });
    }
    bool begin_as_loop() {
        return begin([this] { return loop_is_alone(); });
    }
    // Puts the pump in charge, and wakes the leader and the pump. Any thread.
    void resign() {
        if (!guest_.exchange(false)) return;
        leader_.wake();
        pump_.wake();
    }
    // Puts the pump in charge, without waking anything: the pump calls it, for a guest that has been away for too long.
    void take_over() { guest_.store(false); }

    // Count guests, and everything else that waits.
    void add_thread() {
        if (threads_.fetch_add(1) > 0) resign();
    }
    void remove_thread() { threads_.fetch_sub(1); }
    void add_loop() {
        loops_.fetch_add(1);
        resign();
    }
    void remove_loop() {
        loops_.fetch_sub(1);
        resign();
    }

private:
    template <class Alone> bool begin(const Alone &alone) {
        if (!alone()) return false;
        guest_.store(true);
        if (alone()) return true;
        resign(); // another one has begun to wait at the same time, and may have found the pump in charge
        return false;
    }

    Sleeper &pump_;
    Sleeper &leader_;
    std::atomic<bool> guest_{false};
    std::atomic<int> threads_{0}; // that wait for anything
    std::atomic<int> loops_{0};   // that have a mailbox
};

} // namespace gns_core
