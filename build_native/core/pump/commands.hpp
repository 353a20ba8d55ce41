// The requests of other threads to the thread that serves GNS.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "connection.hpp"
#include "sleeper.hpp"

namespace gns_core {

// One thing to do. Exactly one of message, close and task is set.
struct Command {
    struct Close {
        int32_t reason;
        bool linger;
        std::string text;
    };
    std::shared_ptr<Connection> connection;
    MessagePtr message; // to send
    int64_t number = 0; // promised to the sender
    std::unique_ptr<Close> close;
    std::function<void()> task;
};

// Commands in the order in which they were queued, from any thread to the one that serves GNS.
class CommandQueue {
public:
    explicit CommandQueue(Sleeper &pump) : pump_(pump) {}

    // The lock, for callers that must decide and queue in one step.
    std::mutex &mutex() { return mutex_; }
    // Makes room for one more, so that the next push_locked() needs no memory.
    void prepare_locked() {
        if (queue_.size() == queue_.capacity()) queue_.reserve(queue_.size() < 8 ? 16 : 2 * queue_.size());
    }
    void push_locked(Command command) { queue_.push_back(std::move(command)); }
    bool accepting_locked() const { return accepting_; }
    // Wakes the pump, to carry out what was queued. Called after queueing, without the lock.
    void wake();

    // Returns false, and drops the command, if GNS is not served.
    bool push(Command command);
    // Runs a task on the serving thread and waits for it; returns false if serving ended instead.
    bool run(const std::function<void()> &task);

    // Accepts commands until refuse().
    void accept();
    void refuse();

    // ---- serving thread only ----

    // Moves all that is queued into `commands`, which must be empty.
    void take(std::vector<Command> *commands);
    // Drops what is queued, and lets callers of run() know: no thread takes it from here on.
    void drop_all();

private:
    Sleeper &pump_;
    std::mutex mutex_;
    std::vector<Command> queue_;
    bool accepting_ = false; // under mutex_
};

} // namespace gns_core
