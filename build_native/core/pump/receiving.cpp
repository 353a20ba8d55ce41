#include "pump/receiving.hpp"

#include <optional>
#include <utility>

#include "delivery.hpp"
#include "stream.hpp"

namespace gns_core {

namespace {

constexpr int batch_size = 256;
constexpr int64_t max_waiting_unreliable = 4096;
constexpr const char *overflow_text = "the reader was too slow: its receive queue is full";

// A message that a stream has taken. Unless it gets into a mailbox, it has not arrived: the peer sends it again when
// the session is resumed.
class Arrival {
public:
    Arrival(FramedReceives &receives, const SteamNetworkingMessage_t &message)
        : receives_(receives),
          lane_(message.m_idxLane),
          size_(static_cast<uint32_t>(message.m_cbSize)),
          taken_(receives.take(message)) {}
    ~Arrival() {
        if (taken_ && !pushed) receives_.take_back(*taken_, lane_, size_);
    }
    Arrival(const Arrival &) = delete;
    Arrival &operator=(const Arrival &) = delete;
    const FramedReceives::Taken *taken() const { return taken_ ? &*taken_ : nullptr; }

    bool pushed = false;

private:
    FramedReceives &receives_;
    const uint16_t lane_;
    const uint32_t size_;
    const std::optional<FramedReceives::Taken> taken_;
};

}

void Receiving::receive_all() {
    SteamNetworkingMessage_t *messages[batch_size];
    for (int count = batch_size; count == batch_size;) {
        count = SteamNetworkingSockets()->ReceiveMessagesOnPollGroup(handles_.poll_group(), messages, batch_size);
        count_ += count;
        for (int i = 0; i < count; ++i) deliver(messages[i]);
    }
}

void Receiving::receive_rest(const std::shared_ptr<Connection> &connection, HSteamNetConnection gns_handle) {
    SteamNetworkingMessage_t *messages[batch_size];
    for (int count = batch_size; count == batch_size && connection->gns_handle.load() == gns_handle;) {
        count = SteamNetworkingSockets()->ReceiveMessagesOnConnection(gns_handle, messages, batch_size);
        for (int i = 0; i < count; ++i) deliver(messages[i]);
    }
}

void Receiving::deliver(SteamNetworkingMessage_t *received) noexcept {
    MessagePtr message(received);
    const std::shared_ptr<Connection> connection = handles_.find(message->m_conn);
    if (!connection || connection->failed) return; // nothing may follow a message that was lost
    attempts_.run(connection, [&] { deliver(connection, std::move(message)); });
}

void Receiving::deliver(const std::shared_ptr<Connection> &connection, MessagePtr message) {
    Event event;
    event.kind = GNS_EVENT_MESSAGE;
    event.number = message->m_nMessageNumber;
    event.flags = static_cast<uint16_t>(message->m_nFlags & k_nSteamNetworkingSend_Reliable);
    Stream *const stream = connection->unpacking_to.load(std::memory_order_acquire);
    std::optional<Arrival> arrival;
    if (stream) {
        if (const FramedReceives::Taken *const taken = arrival.emplace(stream->receives, *message).taken()) {
            if (taken->duplicate) return;
            event.kind = taken->ack_due ? GNS_EVENT_ACK_DUE_DATA : GNS_EVENT_DATA;
            event.number = taken->number;
            event.prefix = taken->prefix;
            event.flags = taken->reliable ? GNS_SEND_RELIABLE : 0;
        }
    }
    const int64_t size = message->m_cbSize - event.prefix;
    const int64_t waiting = connection->recv_messages.load(std::memory_order_relaxed);
    // In sessions unreliable messages are dropped, as the network may drop them, so that a peer which floods its reader
    // does not delay the reader's other connections.
    const bool reliable = event.flags & GNS_SEND_RELIABLE || event.kind == GNS_EVENT_ACK_DUE_DATA;
    if (!reliable && stream && waiting >= max_waiting_unreliable) return;
    if (waiting >= connection->recv_messages_limit.load(std::memory_order_relaxed) ||
        (waiting > 0 && connection->recv_bytes.load(std::memory_order_relaxed) + size >
                            connection->recv_bytes_limit.load(std::memory_order_relaxed))) {
        closing_.end(connection, GNS_END_MESSAGE_QUEUE_LIMIT_REACHED, overflow_text);
        return;
    }
    event.connection = connection;
    event.message = std::move(message);
    connection->recv_messages.fetch_add(1, std::memory_order_relaxed);
    connection->recv_bytes.fetch_add(size, std::memory_order_relaxed);
    bool pushed = false;
    signals_.add(push(*connection, std::move(event), &pushed));
    if (arrival) arrival->pushed = pushed;
}

} // namespace gns_core
