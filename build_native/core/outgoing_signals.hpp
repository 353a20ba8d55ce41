// Hands signals of GNS to the program, which sends them: they become events of a mailbox.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "signalling.hpp"

namespace gns_core {

// Puts a signal into the mailbox of its signalling, or drops it if there are too many: GNS sends it again. Returns the
// mailbox if its reader must be signalled. Serving thread, or while GNS ends.
std::shared_ptr<Mailbox> push_signal(const std::shared_ptr<Signalling> &signalling, const std::string &receiver,
                                     const void *data, uint32_t size);

} // namespace gns_core
