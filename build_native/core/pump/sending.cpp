#include "pump/sending.hpp"

#include <algorithm>
#include <utility>

#include "delivery.hpp"

namespace gns_core {

namespace {

constexpr size_t batch_size = 1024; // GNS sorts a batch on the stack

}

void Sending::send(std::vector<Command> &commands, size_t begin, size_t end) {
    Command *batch[batch_size];
    size_t count = 0;
    for (; begin < end; ++begin) {
        const HSteamNetConnection gns_handle = commands[begin].connection->gns_handle.load(std::memory_order_relaxed);
        if (gns_handle == k_HSteamNetConnection_Invalid) continue; // it has ended
        batch[count++] = &commands[begin];
        if (count < batch_size) continue;
        send_batch(batch, count);
        count = 0;
    }
    send_batch(batch, count);
}

void Sending::send_batch(Command **batch, size_t count) {
    // After a message that it refuses, GNS skips the rest of that connection's; those
    // get another turn, before later ones.
    while (count > 0) {
        SteamNetworkingMessage_t *messages[batch_size];
        int64 results[batch_size];
        for (size_t i = 0; i < count; ++i) {
            messages[i] = batch[i]->message.get();
            messages[i]->m_conn = batch[i]->connection->gns_handle.load(std::memory_order_relaxed);
        }
        SteamNetworkingSockets()->SendMessages(static_cast<int>(count), messages, results, false);
        const Connection *ended[batch_size];
        size_t ended_count = 0, again = 0;
        for (size_t i = 0; i < count; ++i) {
            Command &command = *batch[i];
            if (!messages[i]) {
                (void)command.message.release(); // GNS owns it now
            } else if (results[i] == 0) {
                batch[again++] = &command;
            } else if (results[i] == -k_EResultNoConnection) {
                ended[ended_count++] = command.connection.get(); // its end is about to be reported
            } else {
                attempts_.run(command.connection, [&] { report_failure(command, static_cast<int32_t>(results[i])); });
            }
        }
        const auto has_ended = [&](const Command *command) {
            return std::find(ended, ended + ended_count, command->connection.get()) != ended + ended_count;
        };
        count = static_cast<size_t>(std::remove_if(batch, batch + again, has_ended) - batch);
    }
}

void Sending::report_failure(const Command &command, int32_t result) {
    Event event;
    event.kind = GNS_EVENT_SEND_FAILED;
    event.code = result;
    event.number = command.number;
    event.time_us = now_us();
    event.connection = command.connection;
    signals_.add(push(*command.connection, std::move(event)));
}

} // namespace gns_core
