// The process-wide state of the core: whether GNS runs, and every object that a handle can name.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "connection.hpp"
#include "guard.hpp"
#include "handle_table.hpp"
#include "mailbox.hpp"
#include "pump/pump.hpp"

namespace gns_core {

struct Runtime {
    std::mutex life_cycle;
    std::shared_mutex native_calls; // shared by direct calls of GNS, exclusive while GNS comes up or goes down
    std::atomic<bool> running{false}; // changes under native_calls
    std::string identity; // under life_cycle
    Pump pump;
    HandleTable<Mailbox> mailboxes{1};
    HandleTable<ListenSocket> listen_sockets{2};
    HandleTable<Connection> connections{3};
    QueueLimits limits; // pump only
};

Runtime &runtime(); // never destroyed: threads may outlive the interpreter's shutdown

// GNS may be called directly, from any thread, while this is held and true.
class NativeAccess {
public:
    NativeAccess() : lock_(runtime().native_calls) {}
    explicit operator bool() const { return runtime().running.load(std::memory_order_relaxed); }

private:
    std::shared_lock<std::shared_mutex> lock_;
};

inline int32_t not_found() {
    return fail(runtime().running.load(std::memory_order_relaxed) ? GNS_ERROR_BAD_HANDLE : GNS_ERROR_NOT_RUNNING);
}

// Runs on the pump and waits; the task's result, or NOT_RUNNING.
template <class Task> int32_t on_pump(Task &&task) {
    int32_t result = 0;
    std::string text;
    int32_t number = 0;
    const bool ran = runtime().pump.run([&] {
        result = task();
        if (result >= 0) return;
        text = gns_last_error_text();
        number = gns_last_error_number();
    });
    if (!ran) return fail(GNS_ERROR_NOT_RUNNING);
    return result < 0 ? fail(result, text, number) : result;
}

} // namespace gns_core
