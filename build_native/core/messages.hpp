// The way out: limits, the copy, the message's number, the queue. Only the serving thread hands messages to GNS.
#pragma once

#include <cstdint>
#include <memory>

#include "connection.hpp"
#include "framing.hpp"
#include "payload.hpp"
#include "pump/commands.hpp"

namespace gns_core {

constexpr int32_t gns_send_flags = GNS_SEND_NO_NAGLE | GNS_SEND_NO_DELAY | GNS_SEND_RELIABLE;
constexpr int32_t send_flags = gns_send_flags | GNS_SEND_FRAMED | GNS_SEND_WAITED;

// How much room a payload needs before its bytes.
constexpr uint32_t room_for(int32_t flags) { return flags & GNS_SEND_FRAMED ? max_frame_prefix : 0; }

// Makes a message that is not on any account yet.
MessagePtr make_message(PayloadPtr payload, int32_t flags, uint16_t lane);

// 0, or why such a message cannot be sent now; before anything is copied.
int64_t check_state(const Connection &connection, int32_t flags);
int64_t check_size(const Connection &connection, uint32_t size, int32_t flags);
int64_t check_room(const Connection &connection, int64_t size, int64_t cost);

// Puts a message on the connection's account and into the queue. Returns its number, or why it
// was not queued. Under the queue's lock.
int64_t queue_locked(CommandQueue &queue, const std::shared_ptr<Connection> &connection, MessagePtr message,
                     int32_t flags);
// Queues up to `most` of the messages that a stream is to send again, as many as there is room for. Returns how many,
// or why it cannot go on. Under the queue's lock.
int64_t replay_locked(CommandQueue &queue, const std::shared_ptr<Connection> &connection, FramedSends &sends,
                      int64_t most);

} // namespace gns_core
