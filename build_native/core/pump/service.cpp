#include "pump/service.hpp"

#include <algorithm>
#include <limits>

#include "gns/serving.hpp"
#include "memory_reserve.hpp"

namespace gns_core {

namespace {

constexpr int64_t idle_us = 1'000'000;
constexpr int64_t soon_us = 5'000;
constexpr size_t kept_commands = 16384;
constexpr const char *shutdown_text = "the runtime was stopped";

} // namespace

int Service::turn(Sockets sockets) {
    commands_.take(&taken_);
    const bool pending = carry_out(taken_);
    taken_.clear();
    if (taken_.capacity() > kept_commands) taken_.shrink_to_fit(); // after a burst
    const bool whole = refill_memory_reserve();
    soon_ = !lingering.empty() || attempts_.some_failed() || !whole;
    poll(sockets, pending);
    const int messages = receiving.take_count();
    pings.check();
    drains.check();
    signals_.send();
    histories.note();
    lingering.check();
    closing.end_failed();
    soon_ = soon_ || !lingering.empty() || attempts_.some_failed();
    return messages;
}

int64_t Service::due_us() const {
    if (signals_.pending()) return 0;
    int64_t due = soon_ ? now_us() + soon_us : std::numeric_limits<int64_t>::max();
    if (!histories.empty()) due = std::min(due, histories.next_due_us());
    return due;
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

void Service::poll(Sockets sockets, bool pending) {
    if (sockets == Sockets::skip) {
        think();
    } else {
        int64_t wait_us = 0;
        if (sockets == Sockets::wait && !pending) wait_us = std::clamp<int64_t>(due_us() - now_us(), 0, idle_us);
        SteamNetworkingSockets_Poll(static_cast<int>((wait_us + 999) / 1000)); // GNS waits in whole milliseconds
    }
    SteamNetworkingSockets()->RunCallbacks();
    peers.forget_arrivals();
    routes.report();
    receiving.receive_all();
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
