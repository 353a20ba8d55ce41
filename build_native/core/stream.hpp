// The messages of a session, whichever connection carries them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "connection.hpp"
#include "framing.hpp"
#include "handle_table.hpp"
#include "pump/commands.hpp"

namespace gns_core {

// A stream and its connection have each other. The serving thread uses a stream through the connection alone, without a
// lock; so it is the only one that parts them.
struct Stream {
    uint64_t handle = 0;
    FramedReceives receives;

    // Under the command queue's lock.
    FramedSends sends;
    std::weak_ptr<Connection> connection;
    bool closed = false; // it is about to leave its connection
};

using Streams = HandleTable<Stream>;

enum class Attached { yes, no, later }; // later: by the serving thread, as the last stream has not left yet

// Gives a new stream to a connection that has none.
Attached attach(CommandQueue &queue, const std::shared_ptr<Stream> &stream,
                const std::shared_ptr<Connection> &connection, bool is_serving);
// Makes it forget everything; it is not used again.
void close(CommandQueue &queue, Stream &stream);
// Parts a stream from its connection, if it has one. Serving thread only, or when no thread serves.
void detach(CommandQueue &queue, Stream &stream);
// A place in the numbers of one direction.
struct Position {
    std::vector<int64_t> numbers; // the last one of each lane
    Credit total;
};
// See gns_stream_continue; returns 0 or the error. Serving thread only.
int32_t continue_from(CommandQueue &queue, Stream &stream, Position &&sent, const Position &arrived, Credit may_arrive);
// See gns_stream_resume; returns 0 or the error. Serving thread only.
int32_t resume(CommandQueue &queue, const std::shared_ptr<Stream> &stream,
               const std::shared_ptr<Connection> &connection, const int64_t *handled, size_t lanes);

} // namespace gns_core
