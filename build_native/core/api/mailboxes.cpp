// Exported: mailboxes.
#include "api/calls.hpp"
#include "log_queue.hpp"

namespace {

using namespace gns_core;

// Mailboxes outlive a stop: not finding one always means that the handle is bad.
template <class Body> auto with_mailbox(uint64_t handle, const Body &body) noexcept {
    return guarded([&]() -> decltype(body(*runtime().mailboxes.find(handle))) {
        const auto found = runtime().mailboxes.find(handle);
        return found ? body(*found) : fail(GNS_ERROR_BAD_HANDLE);
    });
}

} // namespace

int32_t gns_mailbox_create(uint64_t *mailbox) {
    return guarded([&]() -> int32_t {
        const GnsAccess gns; // a stop that begins in the meantime finds the mailbox
        if (!gns) return fail(GNS_ERROR_NOT_RUNNING);
        *mailbox = runtime().mailboxes.insert(std::make_shared<Mailbox>());
        return 0;
    });
}

int32_t gns_mailbox_destroy(uint64_t mailbox) {
    return guarded([&]() -> int32_t {
        const auto found = runtime().mailboxes.remove(mailbox);
        if (!found) return fail(GNS_ERROR_BAD_HANDLE);
        runtime().guests.forget_loop(*found);
        found->shut(true);
        return 0;
    });
}

int32_t gns_mailbox_count_until_handled(uint64_t mailbox) {
    return with_mailbox(mailbox, [](Mailbox &found) -> int32_t {
        found.count_until_handled();
        return 0;
    });
}

int32_t gns_connection_handled(uint64_t connection, int64_t messages, int64_t bytes) {
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        handled(*found, messages, bytes);
        return 0;
    });
}

int64_t gns_mailbox_fd(uint64_t mailbox) {
    return with_mailbox(mailbox, [](Mailbox &found) { return runtime().guests.descriptor(found); });
}

int32_t gns_mailbox_notify(uint64_t mailbox, int64_t socket) {
    return with_mailbox(mailbox, [&](Mailbox &found) -> int32_t {
        found.notify(socket);
        return 0;
    });
}

int32_t gns_mailbox_wake(uint64_t mailbox) {
    return with_mailbox(mailbox, [](Mailbox &found) -> int32_t {
        found.wake();
        return 0;
    });
}

int32_t gns_mailbox_receive(uint64_t mailbox, int64_t timeout_us, gns_event *events, int32_t max_events, void *payload,
                            uint64_t capacity, gns_batch *batch) {
    *batch = gns_batch{}; // in every case: what an earlier call left must not look like this one's
    return with_mailbox(mailbox, [&](Mailbox &found) {
        const int32_t count = runtime().guests.receive(found, timeout_us, events, max_events, payload, capacity, batch);
        if (count >= 0) batch->logs = log_queue().waiting() ? 1 : 0;
        return count;
    });
}

int32_t gns_mailbox_receive_one(uint64_t mailbox, int64_t timeout_us, gns_event *events, int32_t max_events,
                                void *payload, uint64_t capacity, gns_batch *batch) {
    const int32_t count = gns_mailbox_receive(mailbox, timeout_us, events, max_events, payload, capacity, batch);
    return count > 1 || (count >= 0 && (batch->more || batch->logs)) ? GNS_SEE_BATCH : count;
}
