// The hook through which the mended GNS (cmake/gns_mended.cmake) asks and reports about connections over
// UDP. Included by GNS's own source, so it depends on neither side. All of it is called with GNS's
// global lock held, and must not throw.
#pragma once

#include <cstdint>

namespace gns_core {

class AdmissionHook {
public:
    struct Answer {
        bool admit;
        const char *text; // for a refused peer; nullptr: it gets no answer
        int32_t reason;
    };
    // The peer has proved that it receives at this address. No connection's lock is held.
    virtual Answer request(uint32_t listen_socket, const uint8_t *ip, int64_t now_us) noexcept = 0;
    virtual void begin(uint32_t listen_socket, uint32_t connection, const uint8_t *ip, int64_t now_us) noexcept = 0;
    // The next three are called for any connection over UDP, including outgoing ones.
    // Its first authentic packet arrived.
    virtual void heard(uint32_t connection) noexcept = 0;
    virtual void end(uint32_t connection, bool lingers) noexcept = 0;
    virtual void forget(uint32_t connection) noexcept = 0;

protected:
    ~AdmissionHook() = default;
};

// Defined by the mended GNS; nullptr: every peer is let in.
extern AdmissionHook *admission_hook;

} // namespace gns_core
