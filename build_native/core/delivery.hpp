// How events get into a connection's mailbox, and how its last one ends it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "connection.hpp"
#include "mailbox.hpp"

namespace gns_core {

// Redirects a connection's events to another mailbox, along with those that are waiting.
void move(Connection &connection, const std::shared_ptr<Mailbox> &mailbox);

// Puts an event into the connection's mailbox unless the connection has ended. Returns the
// mailbox if its reader must be signalled.
std::shared_ptr<Mailbox> push(Connection &connection, Event event, bool *pushed = nullptr);

// A status event of the connection.
Event status_event(const std::shared_ptr<Connection> &connection, int32_t old_state, const gns_connection_info &info);

// Ends a connection in the eyes of its owner: at most once, and nothing follows in its mailbox. info.state is the new
// state. Returns whether this call ended it.
bool push_end(const std::shared_ptr<Connection> &connection, const gns_connection_info &info);
// Does this where GNS gives no reason.
bool push_end(const std::shared_ptr<Connection> &connection, int32_t state, int32_t reason, std::string_view text);

// Reads the reason and the text with which this side ended the connection; leaves both alone if this side did not.
void said_at_end(Connection &connection, int32_t *reason, std::string *text);

} // namespace gns_core
