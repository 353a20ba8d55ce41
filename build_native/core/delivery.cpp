#include "delivery.hpp"

#include <utility>

#include "guard.hpp"

namespace gns_core {

void move(Connection &connection, const std::shared_ptr<Mailbox> &mailbox) {
    {
        std::lock_guard lock(connection.end_mutex);
        if (connection.mailbox == mailbox) return;
        connection.mailbox->move_events(connection, *mailbox);
        connection.mailbox = mailbox;
    }
    mailbox->signal();
}

std::shared_ptr<Mailbox> push(Connection &connection, Event event, bool *pushed) {
    std::lock_guard lock(connection.end_mutex);
    if (connection.ended) return nullptr;
    const bool was_empty = connection.mailbox->push(std::move(event));
    if (pushed) *pushed = true;
    return was_empty ? connection.mailbox : nullptr;
}

Event status_event(const std::shared_ptr<Connection> &connection, int32_t old_state, const gns_connection_info &info) {
    Event event;
    event.kind = GNS_EVENT_STATUS;
    event.old_state = old_state;
    event.new_state = info.state;
    event.time_us = now_us();
    event.connection = connection;
    event.info = std::make_unique<gns_connection_info>(info);
    return event;
}

bool push_end(const std::shared_ptr<Connection> &connection, const gns_connection_info &info) {
    Event event = status_event(connection, k_ESteamNetworkingConnectionState_None, info);
    event.code = info.end_reason;
    std::shared_ptr<Mailbox> mailbox;
    {
        std::lock_guard lock(connection->end_mutex);
        if (connection->ended) return false;
        mailbox = connection->mailbox;
        const int32_t old_state = event.old_state = connection->state.exchange(info.state);
        try {
            mailbox->push(std::move(event));
        } catch (...) { // no memory: it has not ended
            connection->state.store(old_state);
            throw;
        }
        connection->ended = true;
        connection->last_info = info;
        connection->notify_changed();
    }
    mailbox->signal();
    return true;
}

bool push_end(const std::shared_ptr<Connection> &connection, int32_t state, int32_t reason, std::string_view text) {
    gns_connection_info info;
    {
        std::lock_guard lock(connection->end_mutex);
        info = connection->last_info;
    }
    info.state = state;
    info.end_reason = reason;
    copy_text(info.end_text, sizeof info.end_text, text);
    return push_end(connection, info);
}

void said_at_end(Connection &connection, int32_t *reason, std::string *text) {
    std::lock_guard lock(connection.end_mutex);
    if (!connection.ended || connection.last_info.state != k_ESteamNetworkingConnectionState_None) return;
    *reason = connection.last_info.end_reason;
    *text = connection.last_info.end_text;
}

} // namespace gns_core
