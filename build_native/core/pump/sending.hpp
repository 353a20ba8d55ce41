// Hands queued messages to GNS. Serving thread only.
#pragma once

#include <cstddef>
#include <vector>

#include "pump/attempts.hpp"
#include "pump/commands.hpp"
#include "pump/signals.hpp"

namespace gns_core {

class Sending {
public:
    Sending(Signals &signals, Attempts &attempts) : signals_(signals), attempts_(attempts) {}

    // Sends the messages of commands[begin..end), which are nothing but messages.
    void send(std::vector<Command> &commands, size_t begin, size_t end);

private:
    void send_batch(Command **batch, size_t count);
    void report_failure(const Command &command, int32_t result);

    Signals &signals_;
    Attempts &attempts_;
};

} // namespace gns_core
