#include "outgoing_signals.hpp"

#include <utility>

#include "gns/gns_native.hpp"
#include "mailbox.hpp"

namespace gns_core {

namespace {

constexpr int64_t most_leaving = 1024;
constexpr int64_t most_leaving_bytes = 1 << 20;

}

std::shared_ptr<Mailbox> push_signal(const std::shared_ptr<Signalling> &signalling, const std::string &receiver,
                                     const void *data, uint32_t size) {
    const std::shared_ptr<Mailbox> mailbox = signalling->mailbox;
    if (!mailbox) return nullptr;
    if (signalling->leaving.load() >= most_leaving || signalling->leaving_bytes.load() + size > most_leaving_bytes) {
        signalling->counters.sent_dropped.fetch_add(1);
        return nullptr;
    }
    Event event;
    event.kind = GNS_EVENT_SIGNAL;
    event.time_us = now_us();
    event.signal = std::make_unique<LeavingSignal>(signalling, receiver, data, size);
    signalling->counters.sent.fetch_add(1);
    return mailbox->push(std::move(event)) ? mailbox : nullptr;
}

} // namespace gns_core
