// The common ground of the exported functions: they look up handles, and touch GNS's connections on the pump only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "gns_access.hpp"
#include "guard.hpp"
#include "runtime.hpp"

namespace gns_core {

inline int32_t not_found() {
    return fail(gns_life().running.load(std::memory_order_relaxed) ? GNS_ERROR_BAD_HANDLE : GNS_ERROR_NOT_RUNNING);
}

// The body of an exported function that takes a connection: body(the connection), guarded.
template <class Body> auto with_connection(uint64_t handle, const Body &body) noexcept {
    using Result = decltype(body(std::shared_ptr<Connection>()));
    return guarded([&]() -> Result {
        const std::shared_ptr<Connection> found = runtime().connections.find(handle);
        return found ? body(found) : not_found();
    });
}

// Runs a task on the pump and waits: the task's result, or NOT_RUNNING.
template <class Task> int32_t on_pump(const Task &task) {
    int32_t result = 0;
    std::string text;
    int32_t number = 0;
    const bool ran = runtime().commands.run([&] {
        result = task();
        if (result >= 0) return;
        text = last_error().text; // the caller's thread has one of its own
        number = last_error().number;
    });
    if (!ran) return fail(GNS_ERROR_NOT_RUNNING);
    return result < 0 ? fail(result, text, number) : result;
}

// Queues a task for the pump: 0, or NOT_RUNNING.
template <class Task> int32_t queue_on_pump(Task task) {
    Command command;
    command.task = std::move(task);
    return runtime().commands.push(std::move(command)) ? 0 : fail(GNS_ERROR_NOT_RUNNING);
}

} // namespace gns_core
