// Lets one thread at a time serve GNS: the parts of a turn have no locks of their own.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "pump/pace.hpp"
#include "pump/service.hpp"
#include "sleeper.hpp"

namespace gns_core {

class Turns {
public:
    Turns(Service &service, Pace &pace, Sleeper &pump) : service_(service), pace_(pace), pump_(pump) {}

    // Between these two, turns can be taken. close() waits for the end of the one that is being taken.
    void open();
    void close();

    // Takes a turn, if need be after that of another thread. Returns false if turns are closed.
    bool take(Sockets sockets);
    // Takes a turn unless another thread is taking one. Returns whether it did.
    bool try_take(Sockets sockets);

    // Returns when the next turn is due, packets and commands aside. Any thread, while GNS runs.
    int64_t due_us() const;
    // Returns when the last turn that looked at the sockets ended. Any thread.
    int64_t looked_us() const { return looked_us_.load(); }

    // Called by GNS's hook: see service_hook.hpp.
    bool on_wanted(int64_t at_us);

    // Returns whether closed connections still deliver what was queued.
    bool is_lingering();

    // Returns the lock of a turn, for a fork, which keeps all threads from taking one: see runtime.cpp.
    std::mutex &mutex() { return mutex_; }

private:
    bool run(Sockets sockets);

    Service &service_;
    Pace &pace_;
    Sleeper &pump_;
    std::mutex mutex_;
    bool open_ = false; // under mutex_
    std::atomic<int64_t> own_due_us_{Sleeper::forever};
    std::atomic<int64_t> looked_us_{0};
    std::atomic<bool> wanted_now_{false}; // GNS wants another turn, for something that is not a timer
};

} // namespace gns_core
