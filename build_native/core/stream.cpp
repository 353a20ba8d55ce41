#include "stream.hpp"

#include <mutex>
#include <utility>

namespace gns_core {

namespace {

void attach_locked(const std::shared_ptr<Stream> &stream, const std::shared_ptr<Connection> &connection) noexcept {
    stream->connection = connection;
    connection->stream = stream;
    connection->unpacking_to.store(stream.get(), std::memory_order_release);
}

// References that detach_locked() removes, to be released outside of the lock.
struct Parted {
    std::shared_ptr<Connection> connection;
    std::shared_ptr<Stream> stream;
};

Parted detach_locked(Stream &stream) noexcept {
    Parted parted;
    parted.connection = stream.connection.lock();
    stream.connection.reset();
    if (!parted.connection) return parted;
    parted.connection->unpacking_to.store(nullptr, std::memory_order_release);
    parted.stream = std::move(parted.connection->stream);
    return parted;
}

} // namespace

Attached attach(CommandQueue &queue, const std::shared_ptr<Stream> &stream,
                const std::shared_ptr<Connection> &connection, bool is_serving) {
    Parted closed;
    std::lock_guard lock(queue.mutex());
    if (connection->stream) {
        if (!connection->stream->closed) return Attached::no;
        if (!is_serving) return Attached::later;
        closed = detach_locked(*connection->stream);
    }
    attach_locked(stream, connection);
    return Attached::yes;
}

void close(CommandQueue &queue, Stream &stream) {
    const Released released = [&] {
        std::lock_guard lock(queue.mutex());
        stream.closed = true;
        return stream.sends.close();
    }();
}

void detach(CommandQueue &queue, Stream &stream) {
    const Parted parted = [&] {
        std::lock_guard lock(queue.mutex());
        return detach_locked(stream);
    }();
}

int32_t continue_from(CommandQueue &queue, Stream &stream, Position &&sent, const Position &arrived,
                      Credit may_arrive) {
    std::lock_guard lock(queue.mutex());
    if (stream.closed) return GNS_ERROR_BAD_HANDLE;
    const bool in_time = stream.receives.continue_from(arrived.numbers, arrived.total, may_arrive) &&
                         stream.sends.continue_from(std::move(sent.numbers), sent.total);
    return in_time ? 0 : -k_EResultInvalidState;
}

int32_t resume(CommandQueue &queue, const std::shared_ptr<Stream> &stream,
               const std::shared_ptr<Connection> &connection, const int64_t *handled, size_t lanes) {
    Parted closed, before;
    std::lock_guard lock(queue.mutex());
    if (stream->closed) return GNS_ERROR_BAD_HANDLE;
    if (connection->stream && !connection->stream->closed) return -k_EResultInvalidState;
    if (!stream->receives.resume(handled, lanes)) return GNS_ERROR_BAD_VALUE;
    if (connection->stream) closed = detach_locked(*connection->stream);
    before = detach_locked(*stream);
    stream->sends.begin_replay();
    attach_locked(stream, connection);
    return 0;
}

} // namespace gns_core
