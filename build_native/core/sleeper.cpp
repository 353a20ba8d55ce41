#include "sleeper.hpp"

#include "gns/gns_native.hpp"
#include "gns_access.hpp"

#if defined(__linux__)
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>
#endif

namespace gns_core {

bool Sleeper::announce(int64_t until_us) {
    until_us_.store(until_us);
    if (!woken_.exchange(false)) return true;
    until_us_.store(0);
    return false;
}

bool Sleeper::stay_awake() {
    until_us_.store(0);
    return woken_.exchange(false);
}

#if defined(__linux__)

void Sleeper::open() {
    if (process_ == ::getpid()) return; // it is never closed, since a thread may wake it at any time
    const int descriptor = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    descriptor_ = descriptor;
    process_ = ::getpid();
}

Sleeper::Awake Sleeper::sleep(int packets) {
    pollfd descriptors[] = {{descriptor_, POLLIN, 0}, {packets, POLLIN, 0}};
    const int64_t until = until_us_.load();
    timespec time{};
    if (until != forever) {
        const int64_t left = std::max<int64_t>(0, until - now_us());
        time = {static_cast<time_t>(left / 1'000'000), static_cast<long>(left % 1'000'000 * 1000)};
    }
    ::ppoll(descriptors, packets < 0 ? 1 : 2, until == forever ? nullptr : &time, nullptr);
    if (descriptors[0].revents) {
        uint64_t count;
        [[maybe_unused]] const ssize_t got = ::read(descriptor_, &count, sizeof count);
    }
    return {stay_awake(), packets >= 0 && descriptors[1].revents};
}

void Sleeper::rouse() {
    if (until_us_.exchange(0) == 0) return; // it is awake, and looks again before it sleeps
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(descriptor_, &one, sizeof one);
}

void Sleeper::wake() {
    woken_.store(true);
    rouse();
}

bool packets_wait(int packets) {
    pollfd descriptor{packets, POLLIN, 0};
    return ::poll(&descriptor, 1, 0) > 0;
}

#else // it sleeps inside of GNS

bool packets_wait(int) { return false; }

void Sleeper::open() {}

Sleeper::Awake Sleeper::sleep(int) { return {stay_awake(), false}; } // never called: there is no descriptor

void Sleeper::rouse() {
    if (until_us_.exchange(0) != 0) SteamNetworkingSocketsLib::WakePoll();
}

void Sleeper::wake() {
    woken_.store(true);
    if (until_us_.load() == 0) return; // without the lock, which a thread that starts GNS holds
    if (const GnsAccess gns; gns) rouse();
}

#endif

} // namespace gns_core
