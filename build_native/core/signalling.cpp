#include "signalling.hpp"

#include <utility>

#include "gns/gns_native.hpp"
#include "mailbox.hpp"

namespace gns_core {

namespace {

constexpr int64_t most_leaving = 1024;
constexpr int64_t most_leaving_bytes = 1 << 20;

}

LeavingSignal::LeavingSignal(std::shared_ptr<Signalling> from, const std::string &receiver, const void *data,
                             uint32_t size)
    : signalling(std::move(from)) {
    payload.reserve(1 + receiver.size() + size);
    payload.push_back(static_cast<char>(receiver.size())); // an identity has less than 128 bytes
    payload.append(receiver).append(static_cast<const char *>(data), size);
    signalling->leaving.fetch_add(1);
    signalling->leaving_bytes.fetch_add(static_cast<int64_t>(payload.size()));
}

LeavingSignal::~LeavingSignal() {
    signalling->leaving.fetch_sub(1);
    signalling->leaving_bytes.fetch_sub(static_cast<int64_t>(payload.size()));
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
