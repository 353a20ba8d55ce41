#include "pump/service.hpp"

#include <algorithm>

#include "memory_reserve.hpp"

namespace gns_core {

namespace {

constexpr int idle_poll_ms = 1000;
constexpr int soon_poll_ms = 5;
constexpr size_t kept_commands = 16384;
constexpr const char *shutdown_text = "the runtime was stopped";

} // namespace

void Service::turn(bool soon) {
    commands_.take(&taken_);
    const bool pending = carry_out(taken_);
    taken_.clear();
    if (taken_.capacity() > kept_commands) taken_.shrink_to_fit(); // after a burst
    const bool whole = refill_memory_reserve();
    soon = soon || !lingering.empty() || attempts_.some_failed() || !whole;
    poll(pending || signals_.pending() ? 0 : soon ? soon_poll_ms : idle_poll_ms);
    histories.note();
    lingering.check();
    closing.end_failed();
}

bool Service::carry_out(std::vector<Command> &commands) {
    bool pending = false;
    size_t sent = 0; // the commands before this one have been handed to GNS, or carried out
    for (size_t i = 0; i < commands.size(); ++i) {
        Command &command = commands[i];
        if (command.message) {
            pending = pending || command.connection->in_memory;
            continue;
        }
        pending = true;
        sending.send(commands, sent, i);
        sent = i + 1;
        attempts_.run(command.connection, [&] {
            if (const Command::Close *const close = command.close.get())
                closing.close_gns(*command.connection, close->reason, close->text.c_str(), close->linger);
            else
                command.task();
        });
    }
    sending.send(commands, sent, commands.size());
    return pending;
}

void Service::poll(int timeout_ms) {
    if (timeout_ms > 0 && !histories.empty()) // GNS waits in whole milliseconds
        timeout_ms =
            static_cast<int>(std::clamp<int64_t>((histories.next_due_us() - now_us() + 999) / 1000, 0, timeout_ms));
    SteamNetworkingSockets_Poll(timeout_ms);
    SteamNetworkingSockets()->RunCallbacks();
    receiving.receive_all();
    pings.check();
    drains.check();
    signals_.send();
}

void Service::shut_down() {
    closing.end_all(GNS_END_SHUTDOWN, shutdown_text);
    lingering.clear();
    drains.clear();
    pings.clear();
    histories.clear();
    handles.close();
    commands_.drop_all();
}

} // namespace gns_core
