#include "mailbox.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "guard.hpp"

namespace gns_core {

uint32_t Event::payload_size() const {
    if (message) return static_cast<uint32_t>(message->m_cbSize) - prefix;
    if (signal) return static_cast<uint32_t>(signal->payload.size());
    return info ? sizeof(gns_connection_info) : 0;
}

bool Mailbox::push(Event event) {
    std::lock_guard lock(mutex_);
    if (destroyed_) return false;
    events_.push_back(std::move(event));
    return events_.size() == 1;
}

void Mailbox::signal() {
    if (own_ == this) return;
    std::lock_guard lock(mutex_);
    if (events_.empty()) return;
    if (waker_) waker_->set();
    if (leader_) leader_->wake();
    changed_.notify_one();
}

bool Mailbox::wait(std::unique_lock<std::mutex> &lock, int64_t timeout_us) {
    const auto ready = [this] { return has_something_locked(); };
    if (timeout_us < 0)
        changed_.wait(lock, ready);
    else if (timeout_us > 0)
        changed_.wait_for(lock, std::chrono::microseconds(timeout_us), ready);
    return ready();
}

int32_t Mailbox::receive(int64_t timeout_us, gns_event *events, int32_t max_events, void *payload, uint64_t capacity,
                         gns_batch *batch) {
    *batch = gns_batch{};
    std::vector<Event> taken; // copied and released outside of the lock
    bool counts_until_handled;
    {
        std::unique_lock lock(mutex_);
        wait(lock, timeout_us);
        woken_ = false;
        if (destroyed_) return fail(GNS_ERROR_BAD_HANDLE);
        counts_until_handled = counts_until_handled_;
        uint64_t used = 0;
        // If this throws, nothing has been taken yet: no event may be lost.
        taken.reserve(std::min(events_.size(), static_cast<size_t>(std::max(max_events, 0))));
        while (!events_.empty() && static_cast<int32_t>(taken.size()) < max_events) {
            Event &next = events_.front();
            if (next.message && next.connection->discard.load(std::memory_order_relaxed)) {
                events_.pop_front();
                continue;
            }
            const uint64_t size = next.payload_size();
            if (used + size > capacity) {
                if (!taken.empty()) break;
                batch->payload = size;
                batch->more = 1;
                if (waker_) waker_->set();
                return fail(GNS_ERROR_BUFFER_TOO_SMALL);
            }
            used = (used + size + 7) & ~uint64_t{7};
            taken.push_back(std::move(next));
            events_.pop_front();
        }
        if (events_.empty()) {
            if (waker_ && !stopped_) waker_->clear();
        } else {
            batch->more = 1;
            if (waker_) waker_->set(); // signal() did not, if this thread served GNS
            changed_.notify_one();     // signal() woke one reader only
        }
        if (taken.empty() && stopped_) return fail(GNS_ERROR_NOT_RUNNING);
    }
    uint64_t offset = 0;
    gns_event *out = events;
    for (Event &event : taken) {
        *out = gns_event{};
        out->connection = event.signal ? event.signal->signalling->handle : event.connection->handle;
        out->kind = event.kind;
        out->old_state = event.old_state;
        out->new_state = event.new_state;
        out->code = event.code;
        out->number = event.number;
        out->offset = offset;
        out->size = event.payload_size();
        char *target = static_cast<char *>(payload) + offset;
        if (event.message) {
            out->time_us = event.message->m_usecTimeReceived;
            out->lane = event.message->m_idxLane;
            out->flags = event.flags;
            if (out->size > 0)
                std::memcpy(target, static_cast<const char *>(event.message->m_pData) + event.prefix, out->size);
            if (!counts_until_handled || event.kind != GNS_EVENT_MESSAGE) handled(*event.connection, 1, out->size);
        } else {
            out->time_us = event.time_us;
            if (event.info) std::memcpy(target, event.info.get(), sizeof(gns_connection_info));
            if (event.signal) std::memcpy(target, event.signal->payload.data(), out->size);
        }
        offset = (offset + out->size + 7) & ~uint64_t{7};
        ++out;
    }
    batch->events = static_cast<int32_t>(taken.size());
    batch->payload = offset;
    return batch->events;
}

int64_t Mailbox::descriptor() {
    std::lock_guard lock(mutex_);
    if (!watch_) {
        auto waker = std::make_unique<Waker>();
        watch_ = std::make_unique<PacketWatch>(waker->descriptor());
        attach_locked(std::move(waker));
    }
    return watch_->descriptor();
}

void Mailbox::notify(int64_t socket) {
    std::lock_guard lock(mutex_);
    watch_ = nullptr;
    attach_locked(std::make_unique<Waker>(socket));
}

void Mailbox::attach_locked(std::unique_ptr<Waker> waker) {
    waker_ = std::move(waker);
    if (!events_.empty() || stopped_) waker_->set();
}

bool Mailbox::has_waker() {
    std::lock_guard lock(mutex_);
    return waker_ != nullptr;
}

bool Mailbox::has_something() {
    std::lock_guard lock(mutex_);
    return has_something_locked();
}

bool Mailbox::begin_loop() {
    std::lock_guard lock(mutex_);
    return watch_ && !stopped_ && !std::exchange(has_loop_, true);
}

bool Mailbox::end_loop() {
    std::lock_guard lock(mutex_);
    return std::exchange(has_loop_, false);
}

void Mailbox::watch_packets(int packets) {
    std::lock_guard lock(mutex_);
    if (watch_ && (packets < 0 || has_loop_)) watch_->watch(packets);
}

bool Mailbox::has_loop() {
    std::lock_guard lock(mutex_);
    return has_loop_;
}

bool Mailbox::watches_packets() {
    std::lock_guard lock(mutex_);
    return watch_ && watch_->is_on();
}

void Mailbox::set_leader(Sleeper *leader) {
    std::lock_guard lock(mutex_);
    leader_ = leader;
}

void Mailbox::count_until_handled() {
    std::lock_guard lock(mutex_);
    counts_until_handled_ = true;
}

void Mailbox::move_events(const Connection &connection, Mailbox &target) {
    std::scoped_lock lock(mutex_, target.mutex_);
    const auto stays = [&connection](const Event &event) { return event.connection.get() != &connection; };
    const auto moving = std::stable_partition(events_.begin(), events_.end(), stays);
    if (!target.destroyed_) {
        const auto waiting = static_cast<std::ptrdiff_t>(target.events_.size());
        // If this throws, nothing has been moved yet.
        target.events_.resize(target.events_.size() + static_cast<size_t>(events_.end() - moving));
        std::move(moving, events_.end(), target.events_.begin() + waiting);
    }
    events_.erase(moving, events_.end());
}

void Mailbox::wake() {
    std::lock_guard lock(mutex_);
    woken_ = true;
    if (waker_) waker_->set();
    if (leader_) leader_->wake();
    changed_.notify_one();
}

void Mailbox::shut(bool destroyed) {
    std::deque<Event> dropped;
    std::lock_guard lock(mutex_);
    stopped_ = true;
    destroyed_ = destroyed_ || destroyed;
    if (destroyed) dropped.swap(events_);
    if (waker_) waker_->set();
    if (leader_) leader_->wake();
    changed_.notify_all();
}

} // namespace gns_core
