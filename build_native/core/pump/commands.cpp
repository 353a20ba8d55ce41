#include "pump/commands.hpp"

#include <exception>
#include <future>

#include "serving_thread.hpp"

namespace gns_core {

void CommandQueue::wake() {
    if (!ServingThread::is_this()) pump_.wake();
}

bool CommandQueue::push(Command command) {
    {
        std::lock_guard lock(mutex_);
        if (!accepting_) return false;
        queue_.push_back(std::move(command));
    }
    wake();
    return true;
}

bool CommandQueue::run(const std::function<void()> &task) {
    auto promise = std::make_shared<std::promise<void>>();
    std::future<void> done = promise->get_future();
    Command command;
    command.task = [&task, promise = std::move(promise)] {
        try {
            task();
            promise->set_value();
        } catch (...) {
            promise->set_exception(std::current_exception());
        }
    };
    if (!push(std::move(command))) return false;
    try {
        done.get();
        return true;
    } catch (const std::future_error &) { // dropped without being carried out: serving has ended
        return false;
    }
}

void CommandQueue::accept() {
    std::lock_guard lock(mutex_);
    accepting_ = true;
}

void CommandQueue::refuse() {
    std::lock_guard lock(mutex_);
    accepting_ = false;
}

void CommandQueue::take(std::vector<Command> *commands) {
    std::lock_guard lock(mutex_);
    commands->swap(queue_);
}

void CommandQueue::drop_all() {
    std::vector<Command> dropped;
    std::lock_guard lock(mutex_);
    dropped.swap(queue_);
}

} // namespace gns_core
