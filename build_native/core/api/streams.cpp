// Exported: sessions.
#include <algorithm>
#include <numeric>
#include <utility>

#include "api/calls.hpp"
#include "messages.hpp"
#include "stream.hpp"

namespace {

using namespace gns_core;

// Other threads can queue their messages in between.
constexpr int64_t replayed_at_once = 64;

// The body of an exported function that takes a stream: body(the stream), guarded.
template <class Body> auto with_stream(uint64_t handle, const Body &body) noexcept {
    using Result = decltype(body(std::shared_ptr<Stream>()));
    return guarded([&]() -> Result {
        const std::shared_ptr<Stream> found = runtime().streams.find(handle);
        return found ? body(found) : not_found();
    });
}

// Does this with the command queue's lock held: body(the sends of the stream).
template <class Body> int32_t with_sends(uint64_t handle, const Body &body) noexcept {
    return with_stream(handle, [&](const std::shared_ptr<Stream> &found) -> int32_t {
        std::lock_guard lock(runtime().commands.mutex());
        return body(found->sends);
    });
}

// Returns false if a number is negative. The messages are the sum of the numbers.
bool read(Position *position, const int64_t *numbers, int32_t lanes, int64_t bytes) {
    position->numbers.assign(numbers, numbers + lanes);
    position->total = {bytes, std::accumulate(numbers, numbers + lanes, int64_t{0})};
    return bytes >= 0 && std::all_of(numbers, numbers + lanes, [](int64_t number) { return number >= 0; });
}

} // namespace

int32_t gns_stream_open(uint64_t connection, uint32_t max_message, int64_t credit_bytes, int64_t credit_messages,
                        uint64_t *stream) {
    *stream = 0;
    return with_connection(connection, [&](const std::shared_ptr<Connection> &found) -> int32_t {
        CommandQueue &commands = runtime().commands;
        const auto opened = std::make_shared<Stream>();
        opened->receives.begin(max_message, {credit_bytes, credit_messages});
        {
            const GnsAccess gns; // a stop that begins in the meantime finds the stream
            if (!gns) return fail(GNS_ERROR_NOT_RUNNING);
            runtime().streams.insert(opened);
        }
        Attached attached = attach(commands, opened, found, false);
        if (attached == Attached::later) commands.run([&] { attached = attach(commands, opened, found, true); });
        if (attached != Attached::yes) {
            runtime().streams.remove(opened->handle);
            return fail(-k_EResultInvalidState, "the connection has a stream");
        }
        *stream = opened->handle;
        return 0;
    });
}

int32_t gns_stream_close(uint64_t stream) {
    return guarded([&]() -> int32_t {
        const std::shared_ptr<Stream> found = runtime().streams.remove(stream);
        if (!found) return not_found();
        close(runtime().commands, *found);
        // Otherwise GNS is about to stop, and it goes with its connection.
        queue_on_pump([found] { detach(runtime().commands, *found); });
        return 0;
    });
}

int32_t gns_stream_grant(uint64_t stream, int64_t handled, int64_t *credit_bytes, int64_t *credit_messages) {
    return with_stream(stream, [&](const std::shared_ptr<Stream> &found) -> int32_t {
        const Credit credit = found->receives.grant(handled);
        *credit_bytes = credit.bytes;
        *credit_messages = credit.messages;
        return 0;
    });
}

int64_t gns_stream_heard(uint64_t stream) {
    return with_stream(stream, [](const std::shared_ptr<Stream> &found) { return found->receives.heard_us(); });
}

int32_t gns_stream_allow(uint64_t stream, uint32_t max_message, int64_t credit_bytes, int64_t credit_messages) {
    return with_sends(stream, [&](FramedSends &sends) -> int32_t {
        sends.allow(max_message, {credit_bytes, credit_messages});
        return 0;
    });
}

int32_t gns_stream_hold(uint64_t stream, int32_t held) {
    return with_sends(stream, [&](FramedSends &sends) -> int32_t {
        if (held < GNS_HOLD_NONE || held > GNS_HOLD_ALL) return fail(GNS_ERROR_BAD_VALUE);
        sends.hold(held);
        return 0;
    });
}

int32_t gns_stream_sent(uint64_t stream, int64_t *numbers, int32_t lanes) {
    return with_sends(stream, [&](FramedSends &sends) -> int32_t {
        const std::vector<int64_t> &sent = sends.numbers();
        for (int32_t lane = 0; lane < lanes; ++lane)
            numbers[lane] = static_cast<size_t>(lane) < sent.size() ? sent[static_cast<size_t>(lane)] : 0;
        return 0;
    });
}

int32_t gns_stream_arrived(uint64_t stream, int64_t *numbers, int32_t lanes) {
    return with_stream(stream, [&](const std::shared_ptr<Stream> &found) {
        return on_pump([&]() -> int32_t {
            for (int32_t lane = 0; lane < lanes; ++lane)
                numbers[lane] = found->receives.arrived(static_cast<size_t>(lane));
            return 0;
        });
    });
}

int32_t gns_stream_keep(uint64_t stream, int64_t max_bytes, int64_t max_messages) {
    return with_sends(stream, [&](FramedSends &sends) -> int32_t {
        if (max_bytes < 1 || max_messages < 1) return fail(GNS_ERROR_BAD_VALUE);
        return sends.keep({max_bytes, max_messages}) ? 0 : fail(-k_EResultInvalidState, "DATA was sent before");
    });
}

int32_t gns_stream_acked(uint64_t stream, const int64_t *numbers, int32_t lanes) {
    return with_stream(stream, [&](const std::shared_ptr<Stream> &found) -> int32_t {
        if (lanes < 0) return fail(GNS_ERROR_BAD_VALUE);
        const Released released = [&] {
            std::lock_guard lock(runtime().commands.mutex());
            return found->sends.kept().release(numbers, static_cast<size_t>(lanes));
        }();
        return 0;
    });
}

int32_t gns_stream_kept(uint64_t stream, int64_t *bytes, int64_t *messages) {
    return with_sends(stream, [&](FramedSends &sends) -> int32_t {
        *bytes = sends.kept().bytes();
        *messages = sends.kept().messages();
        return 0;
    });
}

int32_t gns_stream_detach(uint64_t stream) {
    return with_stream(stream, [](const std::shared_ptr<Stream> &found) {
        return on_pump([&]() -> int32_t {
            detach(runtime().commands, *found);
            return 0;
        });
    });
}

int32_t gns_stream_continue(uint64_t stream, const int64_t *sent, const int64_t *arrived, int32_t lanes,
                            const int64_t totals[4]) {
    return with_stream(stream, [&](const std::shared_ptr<Stream> &found) -> int32_t {
        Position out, in;
        if (lanes < 0 || lanes > GNS_MAX_LANES) return fail(GNS_ERROR_BAD_VALUE);
        if (!read(&out, sent, lanes, totals[0]) || !read(&in, arrived, lanes, totals[1]))
            return fail(GNS_ERROR_BAD_VALUE);
        return on_pump([&]() -> int32_t {
            const Credit may_arrive{totals[2], totals[3]};
            const int32_t error = continue_from(runtime().commands, *found, std::move(out), in, may_arrive);
            return error ? fail(error) : 0;
        });
    });
}

int32_t gns_stream_resume(uint64_t stream, uint64_t connection, const int64_t *handled, int32_t lanes) {
    return with_stream(stream, [&](const std::shared_ptr<Stream> &found) -> int32_t {
        const auto target = runtime().connections.find(connection);
        if (!target) return not_found();
        if (lanes < 0) return fail(GNS_ERROR_BAD_VALUE);
        return on_pump([&]() -> int32_t {
            const int32_t error = resume(runtime().commands, found, target, handled, static_cast<size_t>(lanes));
            return error ? fail(error) : 0;
        });
    });
}

int32_t gns_stream_replay(uint64_t stream, int64_t *left) {
    *left = 0;
    return with_stream(stream, [&](const std::shared_ptr<Stream> &found) -> int32_t {
        CommandQueue &commands = runtime().commands;
        int64_t queued = 0;
        do {
            std::shared_ptr<Connection> target; // released outside of the lock
            std::lock_guard lock(commands.mutex());
            target = found->connection.lock();
            *left = found->sends.kept().left();
            if (!target) return fail(-k_EResultNoConnection);
            if (!found->sends.replaying()) break;
            queued = replay_locked(commands, target, found->sends, replayed_at_once);
            if (queued < 0) return fail(static_cast<int32_t>(queued));
            *left = found->sends.kept().left();
        } while (queued == replayed_at_once && *left > 0);
        commands.wake();
        return 0;
    });
}
