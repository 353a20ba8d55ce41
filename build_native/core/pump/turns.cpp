#include "pump/turns.hpp"

#include <algorithm>

#include "gns/serving.hpp"
#include "serving_thread.hpp"

namespace gns_core {

void Turns::open() {
    std::lock_guard lock(mutex_);
    own_due_us_.store(Sleeper::forever);
    wanted_now_.store(false);
    pace_.reset();
    open_ = true;
}

void Turns::close() {
    std::lock_guard lock(mutex_);
    open_ = false;
}

bool Turns::take(Sockets sockets) {
    std::lock_guard lock(mutex_);
    return run(sockets);
}

bool Turns::try_take(Sockets sockets) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    return lock && run(sockets);
}

bool Turns::run(Sockets sockets) {
    if (!open_) return false;
    const ServingThread here;
    wanted_now_.store(false);
    const int messages = service_.turn(sockets);
    own_due_us_.store(service_.due_us());
    if (sockets != Sockets::skip) {
        const int64_t now = now_us();
        pace_.note_turn(messages, now);
        looked_us_.store(now);
    }
    if (sockets != Sockets::wait) pump_.wake_before(due_us()); // it waits only in the pump's own turns
    return true;
}

int64_t Turns::due_us() const {
    if (wanted_now_.load()) return 0;
    const int64_t next = next_think_us();
    return std::min(own_due_us_.load(), next == Sleeper::forever ? next : next + 1); // GNS does what was due before now
}

bool Turns::is_lingering() {
    std::lock_guard lock(mutex_);
    return !service_.lingering.empty();
}

bool Turns::on_wanted(int64_t at_us) {
    if (at_us == 0) wanted_now_.store(true);
    if (!ServingThread::is_this()) pump_.wake_before(at_us);
    return true;
}

} // namespace gns_core
