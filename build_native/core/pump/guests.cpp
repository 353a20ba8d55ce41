#include "pump/guests.hpp"

#include <algorithm>
#include <chrono>

#include "gns/serving.hpp"

namespace gns_core {

namespace {

constexpr int most_in_vain = 2;

}

void Guests::open() {
    leader_.open();
    packets_.store(packet_descriptor());
}

void Guests::close() {
    packets_.store(-1);
    credit_.store(false);
    shift_.resign();
    leader_.wake();
    std::lock_guard gone(leading_);
}

// While this lives, its thread waits for something.
class Guests::Waiting {
public:
    explicit Waiting(Shift &shift) : shift_(shift) { shift_.add_thread(); }
    ~Waiting() { shift_.remove_thread(); }
    Waiting(const Waiting &) = delete;
    Waiting &operator=(const Waiting &) = delete;

private:
    Shift &shift_;
};

// While this lives, a leader sleeps until a place has something.
template <class Place> class Guests::Led {
public:
    Led(Place &place, Sleeper &leader) : place_(place) { place_.set_leader(&leader); }
    ~Led() { place_.set_leader(nullptr); }
    Led(const Led &) = delete;
    Led &operator=(const Led &) = delete;

private:
    Place &place_;
};

int32_t Guests::receive(Mailbox &mailbox, int64_t timeout_us, gns_event *events, int32_t max_events, void *payload,
                        uint64_t capacity, gns_batch *batch) {
    if (timeout_us != 0 && !mailbox.has_waker() && !mailbox.has_something()) {
        const Waiting waiting(shift_);
        const int64_t until = timeout_us < 0 ? Sleeper::forever : now_us() + timeout_us;
        {
            const Mailbox::Own own(mailbox);
            lead(mailbox, until);
        }
        if (timeout_us > 0) timeout_us = std::max<int64_t>(0, until - now_us());
        return mailbox.receive(timeout_us, events, max_events, payload, capacity, batch);
    }
    if (mailbox.watches_packets()) serve_loop(mailbox);
    const int32_t count = mailbox.receive(timeout_us, events, max_events, payload, capacity, batch);
    if (count > 0 && mailbox.has_loop() && may_watch()) mailbox.watch_packets(packets_.load());
    return count;
}

int32_t Guests::wait(Connection &connection, int64_t timeout_us, const std::function<bool()> &ready) {
    struct Change { // a place at which a leader waits, as a mailbox is one
        Connection &connection;
        const std::function<bool()> &ready;
        bool has_something() const {
            std::lock_guard lock(connection.end_mutex);
            return ready();
        }
        void set_leader(Sleeper *leader) const {
            std::lock_guard lock(connection.end_mutex);
            connection.leader = leader;
        }
    } const change{connection, ready};
    if (change.has_something()) return 1;
    const Waiting waiting(shift_);
    const int64_t until = timeout_us < 0 ? Sleeper::forever : now_us() + timeout_us;
    lead(change, until);
    shift_.resign(); // this thread does not wait for messages, and may not be back for long
    std::unique_lock lock(connection.end_mutex);
    if (timeout_us < 0) {
        connection.changed.wait(lock, ready);
        return 1;
    }
    const std::chrono::microseconds left(std::max<int64_t>(0, until - now_us()));
    return connection.changed.wait_for(lock, left, ready) ? 1 : 0;
}

// Serves until the place has something, the time is up, or it is better to leave that to the pump.
template <class Place> void Guests::lead(Place &place, int64_t until_us) {
    const std::unique_lock alone(leading_, std::try_to_lock);
    const int packets = packets_.load();
    if (!alone || packets < 0 || pace_.is_high(now_us()) || !shift_.begin_as_thread()) {
        shift_.resign();
        return;
    }
    const Led<Place> led(place, leader_);
    const auto goes_on = [&] {
        return !place.has_something() && packets_.load() >= 0 && // it is -1 when GNS is about to stop
               (shift_.guest_in_charge() || shift_.begin_as_thread());
    };
    for (;;) {
        const bool may_sleep = leader_.announce(until_us);
        if (!goes_on()) break;
        if (!may_sleep) continue;
        if (!leader_.sleep(packets).packets) {
            if (now_us() >= until_us) break;
            continue;
        }
        if (!turns_.take(Sockets::look)) break;
        credit_.store(true);
        if (!is_worth_it(place.has_something())) {
            shift_.resign();
            break;
        }
    }
    leader_.stay_awake();
}

void Guests::serve_loop(Mailbox &mailbox) {
    const std::unique_lock alone(leading_, std::try_to_lock); // another thread may read the same mailbox
    const Mailbox::Own own(mailbox);
    if (alone && may_watch() && shift_.begin_as_loop()) {
        const bool taken = turns_.try_take(Sockets::look);
        credit_.store(true);
        if (taken && is_worth_it(mailbox.has_something())) return;
    }
    mailbox.watch_packets(-1);
    shift_.resign();
}

// Called after a turn, with leading_ held. Returns whether the guest should take the next one, too.
bool Guests::is_worth_it(bool found) {
    in_vain_ = found ? 0 : in_vain_ + 1;
    if (in_vain_ < most_in_vain) return !pace_.is_high(turns_.looked_us());
    in_vain_ = 0;
    return false;
}

bool Guests::may_watch() { return packets_.load() >= 0 && !pace_.is_high(now_us()) && shift_.loop_is_alone(); }

int64_t Guests::descriptor(Mailbox &mailbox) {
    const int64_t descriptor = mailbox.descriptor();
    if (mailbox.begin_loop()) {
        shift_.add_loop();
        if (may_watch()) mailbox.watch_packets(packets_.load());
    }
    return descriptor;
}

void Guests::forget_loop(Mailbox &mailbox) {
    mailbox.watch_packets(-1);
    if (mailbox.end_loop()) shift_.remove_loop();
}

void Guests::send_queued(bool at_once) {
    pace_.note_send();
    if (at_once && credit_.load() && shift_.guest_in_charge() && credit_.exchange(false) &&
        turns_.try_take(Sockets::skip))
        return;
    commands_.wake();
}

} // namespace gns_core
