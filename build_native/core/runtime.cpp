#include "runtime.hpp"

#include <cstdlib>
#include <new>
#include <shared_mutex>

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "gns/certificates.hpp"
#include "gns/gatekeeper.hpp"
#include "gns/service_hook.hpp"
#include "gns_access.hpp"
#include "guard.hpp"
#include "log_queue.hpp"
#include "memory_reserve.hpp"
#include "no_signals.hpp"

namespace gns_core {

Runtime &runtime() {
    static Runtime *const instance = new Runtime;
    return *instance;
}

namespace {

// We bound what a reader leaves unread ourselves, so GNS's own limits would only be in the way: GNS refuses, and the
// peer sends again. But one connection gets at most this many messages in one poll; see gns/receive_reliable.hpp.
constexpr int32_t unbounded = 0x10000000;
constexpr int32_t received_at_once = 65536;
// GNS warns when it waits long for its locks; on a loaded machine that is normal.
constexpr int64_t lock_warning_us = 1'000'000;

void on_status_changed(SteamNetConnectionStatusChangedCallback_t *change) {
    runtime().service.status_changes.take(*change);
}

bool on_service_wanted(long long at_us) { return runtime().turns.on_wanted(at_us); }

#if !defined(_WIN32)

void stop_at_exit() {
    guarded([] { return runtime().stop(0); });
}

// True if nothing starts or stops while the process forks. Meaningful between before_fork and the other two.
bool life_stands_still = false;

// A forked child that exits runs GNS's own exit handler, which takes GNS's global lock: no thread may hold it at the
// fork, since the child has no thread that would release it. The child never touches what the parent locks here, unless
// GNS is not running: then there are no threads and no locks that are held, and the child may start it.
void before_fork() {
    if (forked.load()) return;
    life_stands_still = runtime().life_cycle.try_lock();
    runtime().pump.park();
    gns_life().calls.lock();
    runtime().turns.mutex().lock();
}

void after_fork_in_parent() {
    if (forked.load()) return;
    runtime().turns.mutex().unlock();
    gns_life().calls.unlock();
    runtime().pump.unpark();
    if (life_stands_still) runtime().life_cycle.unlock();
}

void after_fork_in_child() {
    if (forked.load()) return;
    if (!life_stands_still || gns_life().running.load()) {
        forked.store(true);
        return;
    }
    // A lock remembers which thread holds it, and that thread has another number here.
    new (&gns_life().calls) std::shared_mutex;
    new (&runtime().turns.mutex()) std::mutex;
    runtime().guests.renew();
    runtime().pump.unpark();
    new (&runtime().life_cycle) std::mutex;
}

void guard_process() {
    static const bool done = [] {
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        // Registered after GNS's own exit handlers, so it runs before them.
        std::atexit(stop_at_exit);
        return true;
    }();
    (void)done;
}

#else

// On Windows a library's exit handlers run when all other threads have been ended, wherever
// they were: one may have held any lock.
void guard_process() {}

#endif

} // namespace

int32_t Runtime::start(const std::string &text, const SteamNetworkingIdentity &parsed) {
    std::lock_guard lock(life_cycle);
    if (gns_life().running.load()) {
        if (text.empty() || identity == text) return 1;
        const std::string current = identity.empty() ? "without an identity" : "as " + identity;
        return fail(GNS_ERROR_RUNNING, "GNS already runs " + current + ": stop it before it starts as " + text);
    }
    ISteamNetworkingUtils *const utils = SteamNetworkingUtils();
    std::lock_guard calls(gns_life().calls);
    attach_log();
    SteamNetworkingSockets_SetLockWaitWarningThreshold(lock_warning_us);
    SteamNetworkingSockets_SetManualPollMode(true);
    SteamNetworkingErrMsg error{};
    const NoSignals threads_started_here;
    if (!GameNetworkingSockets_Init(text.empty() ? nullptr : &parsed, error)) {
        const int32_t number = system_error_in(error);
        return fail(number ? GNS_ERROR_SYSTEM : GNS_ERROR_NATIVE, error, number);
    }
    try {
        guard_process();
        install_memory_reserve();
        attach_gatekeeper();
        service.peers.attach();
        service.routes.attach();
        forget_trust();
        utils->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_RecvBufferSize, unbounded);
        utils->SetGlobalConfigValueInt32(k_ESteamNetworkingConfig_RecvBufferMessages, received_at_once);
        utils->SetGlobalCallback_SteamNetConnectionStatusChanged(on_status_changed);
        identity = text;
        gns_life().running.store(true);
        service_hook.store(on_service_wanted);
        guests.open();
        pump.start();
    } catch (...) { // no thread, no memory: nothing is left half started
        guests.close();
        gns_life().running.store(false);
        service_hook.store(nullptr);
        GameNetworkingSockets_Kill();
        throw;
    }
    return 0;
}

int32_t Runtime::stop(int64_t linger_us) {
    std::lock_guard lock(life_cycle);
    if (!gns_life().running.load()) return 0;
    guests.close();
    for (const auto &mailbox : mailboxes.all()) guests.forget_loop(*mailbox);
    pump.stop(linger_us);
    service_hook.store(nullptr);
    {
        std::lock_guard calls(gns_life().calls);
        gns_life().running.store(false);
        GameNetworkingSockets_Kill();
    }
    service.after_gns();
    log_queue().finish();
    for (const auto &stream : streams.all()) {
        streams.remove(stream->handle);
        close(commands, *stream);
        detach(commands, *stream);
    }
    for (const auto &signalling : signallings.all()) {
        signallings.remove(signalling->handle);
        signalling->mailbox = nullptr; // whose events may hold it
    }
    for (const auto &socket : listen_sockets.all()) listen_sockets.remove(socket->handle);
    for (const auto &mailbox : mailboxes.all()) mailbox->shut(false);
    return 0;
}

} // namespace gns_core
