// Native threads take no signals, so that a thread which has blocked or awaits a signal is the one that gets it.
#pragma once

#if !defined(_WIN32)
#include <csignal>
#include <initializer_list>
#include <pthread.h>
#endif

namespace gns_core {

// Threads that are started while it lives have all signals blocked, except those that a thread raises by its own fault:
// if they were blocked, they would end the process without a word from a handler for crashes.
class NoSignals {
public:
#if defined(_WIN32)
    NoSignals() {}
    ~NoSignals() {}
#else
    NoSignals() {
        sigset_t blocked;
        sigfillset(&blocked);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) sigdelset(&blocked, fault);
        pthread_sigmask(SIG_BLOCK, &blocked, &before_);
    }
    ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
#endif
    NoSignals(const NoSignals &) = delete;
    NoSignals &operator=(const NoSignals &) = delete;

#if !defined(_WIN32)
private:
    sigset_t before_;
#endif
};

} // namespace gns_core
