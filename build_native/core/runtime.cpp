#include "runtime.hpp"

#include <cstdlib>
#include <new>

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "gns/gatekeeper.hpp"
#include "log_queue.hpp"
#include "memory_reserve.hpp"
#include "no_signals.hpp"

namespace gns_core {

Runtime &runtime() {
    static Runtime *const instance = new Runtime;
    return *instance;
}

namespace {

// The bounds of what a reader leaves unread are ours, and so GNS's own would only be in the way: it refuses, and the peer
// sends again. But so many messages are the most that one connection gets in one poll; see gns/receive_reliable.hpp.
constexpr int32_t unbounded = 0x10000000;
constexpr int32_t received_at_once = 65536;
// GNS warns when it waits long for its locks; on a loaded machine that is no news.
constexpr int64_t lock_warning_us = 1'000'000;

void on_status_changed(SteamNetConnectionStatusChangedCallback_t *change) { runtime().pump.on_status_changed(*change); }

#if !defined(_WIN32)

void stop_at_exit() { gns_stop(0); }

// Whether nothing comes up or goes down while the process forks. Between before_fork and the others.
bool life_stands_still = false;

// A forked child that exits runs GNS's own exit handler, which takes GNS's global lock: nobody may hold it at the fork, for
// the child has no thread that would give it back. What the parent locks here the child never touches again, unless GNS
// does not run: then it has no threads and no locks that are held, and the child may start it.
void before_fork() {
    if (forked.load()) return;
    life_stands_still = runtime().life_cycle.try_lock();
    runtime().pump.park();
    runtime().native_calls.lock();
}

void after_fork_in_parent() {
    if (forked.load()) return;
    runtime().native_calls.unlock();
    runtime().pump.unpark();
    if (life_stands_still) runtime().life_cycle.unlock();
}

void after_fork_in_child() {
    if (forked.load()) return;
    if (!life_stands_still || runtime().running.load()) {
        forked.store(true);
        return;
    }
    // A lock remembers which thread has it, and that one has another number here.
    new (&runtime().native_calls) std::shared_mutex;
    runtime().pump.unpark();
    new (&runtime().life_cycle) std::mutex;
}

void guard_process() {
    static const bool done = [] {
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        // Registered after GNS's own exit handlers are, so it runs before them.
        std::atexit(stop_at_exit);
        return true;
    }();
    (void)done;
}

#else

// A library's exit handlers run there when all other threads have been ended, wherever they were: one may have held any lock.
void guard_process() {}

#endif

int32_t start(const std::string &text, const SteamNetworkingIdentity &identity) {
    Runtime &state = runtime();
    ISteamNetworkingUtils *const utils = SteamNetworkingUtils();
    std::lock_guard native(state.native_calls);
    attach_log();
    SteamNetworkingSockets_SetLockWaitWarningThreshold(lock_warning_us);
    SteamNetworkingSockets_SetManualPollMode(true);
    SteamNetworkingErrMsg error{};
    const NoSignals threads_started_here;
    if (!GameNetworkingSockets_Init(text.empty() ? nullptr : &identity, error)) {
        const int32_t number = system_error_in(error);
        return fail(number ? GNS_ERROR_SYSTEM : GNS_ERROR_NATIVE, error, number);
    }
    try {
        guard_process();
        install_memory_reserve();
        attach_gatekeeper();
        utils->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_RecvBufferSize, unbounded);
        utils->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_RecvBufferMessages, received_at_once);
        utils->SetGlobalCallback_SteamNetConnectionStatusChanged(on_status_changed);
        state.identity = text;
        state.running.store(true);
        state.pump.start();
    } catch (...) { // no thread, no memory: nothing is left half started
        state.running.store(false);
        GameNetworkingSockets_Kill();
        throw;
    }
    return 0;
}

} // namespace
} // namespace gns_core

using namespace gns_core;

int32_t gns_start(const char *identity, int32_t size) {
    return guarded([&]() -> int32_t {
        SteamNetworkingIdentity parsed;
        std::string canonical;
        if (size > 0) {
            if (!parse_identity(identity, size, &parsed)) return fail(GNS_ERROR_BAD_IDENTITY);
            char text[SteamNetworkingIdentity::k_cchMaxString];
            parsed.ToString(text, sizeof text);
            canonical = text;
        }
        Runtime &state = runtime();
        std::lock_guard lock(state.life_cycle);
        if (state.running.load()) return state.identity == canonical ? 1 : fail(GNS_ERROR_RUNNING);
        return start(canonical, parsed);
    });
}

int32_t gns_stop(int64_t linger_us) {
    return guarded([&]() -> int32_t {
        Runtime &state = runtime();
        std::lock_guard lock(state.life_cycle);
        if (!state.running.load()) return 0;
        state.pump.stop(linger_us);
        {
            std::lock_guard native(state.native_calls);
            state.running.store(false);
            GameNetworkingSockets_Kill();
        }
        log_queue().finish();
        for (const auto &socket : state.listen_sockets.all()) state.listen_sockets.remove(socket->handle);
        for (const auto &mailbox : state.mailboxes.all()) mailbox->shut(false);
        return 0;
    });
}

int32_t gns_lingering(void) {
    return guarded([] { return on_pump([] { return static_cast<int32_t>(runtime().pump.lingering()); }); });
}

int32_t gns_running(void) {
    return guarded([]() -> int32_t { return runtime().running.load() ? 1 : 0; });
}

int64_t gns_time_us(void) { return SteamNetworkingUtils()->GetLocalTimestamp(); }

int32_t gns_mailbox_create(uint64_t *mailbox) {
    return guarded([&]() -> int32_t {
        const NativeAccess native; // a stop that begins meanwhile finds it
        if (!native) return fail(GNS_ERROR_NOT_RUNNING);
        *mailbox = runtime().mailboxes.insert(std::make_shared<Mailbox>());
        return 0;
    });
}

int32_t gns_mailbox_destroy(uint64_t mailbox) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.remove(mailbox);
        if (!found) return fail(GNS_ERROR_BAD_HANDLE);
        found->shut(true);
        return 0;
    });
}

int32_t gns_mailbox_hold(uint64_t mailbox) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.find(mailbox);
        if (!found) return fail(GNS_ERROR_BAD_HANDLE);
        found->hold();
        return 0;
    });
}

int64_t gns_mailbox_fd(uint64_t mailbox) {
    return guarded([&]() -> int64_t {
        const auto found = runtime().mailboxes.find(mailbox);
        return found ? found->descriptor() : fail(GNS_ERROR_BAD_HANDLE);
    });
}

int32_t gns_mailbox_notify(uint64_t mailbox, int64_t socket) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.find(mailbox);
        if (!found) return fail(GNS_ERROR_BAD_HANDLE);
        found->notify(socket);
        return 0;
    });
}

int32_t gns_mailbox_wake(uint64_t mailbox) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.find(mailbox);
        if (!found) return fail(GNS_ERROR_BAD_HANDLE);
        found->wake();
        return 0;
    });
}

int32_t gns_mailbox_receive(uint64_t mailbox, int64_t timeout_us, gns_event *events, int32_t max_events, void *payload,
                            uint64_t capacity, gns_batch *batch) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.find(mailbox);
        return found ? found->receive(timeout_us, events, max_events, payload, capacity, batch) : fail(GNS_ERROR_BAD_HANDLE);
    });
}
