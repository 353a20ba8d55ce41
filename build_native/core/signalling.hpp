// Carries signals between GNS and a program: those that go out become events of a mailbox (outgoing_signals), and those
// that arrive wait for GNS.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "core_api.hpp"
#include "handle_table.hpp"
#include "pump/requests.hpp"

namespace gns_core {

class Mailbox;

struct Signalling {
    uint64_t handle = 0;
    std::shared_ptr<Mailbox> mailbox; // nullptr once it is destroyed; serving thread only
    Requests requests;                // serving thread only

    // Bounds of what waits.
    std::atomic<int32_t> arrived{0};
    std::atomic<int64_t> leaving{0}, leaving_bytes{0};

    // See gns_signalling_counters.
    struct {
        std::atomic<int64_t> sent{0}, sent_dropped{0}, received{0}, bad{0}, flooded{0}, ends_dropped{0}, stray{0},
            not_listening{0}, repeated{0}, rate{0}, pending{0};
    } counters;
};

using Signallings = HandleTable<Signalling>;

// A signal in its mailbox: the payload of GNS_EVENT_SIGNAL. It counts as waiting while it lives.
struct LeavingSignal {
    LeavingSignal(std::shared_ptr<Signalling> from, const std::string &receiver, const void *data, uint32_t size);
    ~LeavingSignal();
    LeavingSignal(const LeavingSignal &) = delete;
    LeavingSignal &operator=(const LeavingSignal &) = delete;

    const std::shared_ptr<Signalling> signalling;
    std::string payload;
};

} // namespace gns_core
