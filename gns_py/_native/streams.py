"""Streams: the messages of sessions, in frames, on one connection after another.

Once a stream or its connection is gone, its messages do not matter: only stream_keep,
stream_continue, stream_resume and stream_replay raise.
"""

from __future__ import annotations

from collections.abc import Sequence

from .codes import MAX_LANES
from .failures import check_connection
from .library import ffi, lib

# (stream); this one and the next two return an error code if it is gone
stream_close = lib.gns_stream_close
stream_detach = lib.gns_stream_detach
# (stream, max_message, credit_bytes, credit_messages)
stream_allow = lib.gns_stream_allow
# (stream, held)
stream_hold = lib.gns_stream_hold
# (stream) -> time in microseconds or an error code
stream_heard = lib.gns_stream_heard


def stream_open(connection: int, max_message: int, credit_bytes: int, credit_messages: int) -> int:
    """Return a stream that begins on this connection, or 0 if the connection is gone or has one."""
    stream = ffi.new("uint64_t *")
    lib.gns_stream_open(connection, max_message, credit_bytes, credit_messages, stream)
    opened: int = stream[0]
    return opened


def stream_grant(stream: int, handled: int) -> tuple[int, int]:
    """Return how many bytes and messages may arrive, now that this many EVENT_ACK_DUE_DATA have been handled."""
    credit = ffi.new("int64_t[2]")
    lib.gns_stream_grant(stream, handled, credit, credit + 1)
    return credit[0], credit[1]


def stream_sent(stream: int, lanes: int) -> list[int] | None:
    """Return the number of the last DATA sent on each lane, or None once the stream is gone."""
    numbers = ffi.new("int64_t[]", lanes)
    return list(ffi.unpack(numbers, lanes)) if lib.gns_stream_sent(stream, numbers, lanes) >= 0 else None


def stream_arrived(stream: int) -> list[int]:
    """Return the number of the last DATA that has arrived on each lane; nothing once the stream is gone."""
    numbers = ffi.new("int64_t[]", MAX_LANES)
    return list(numbers) if lib.gns_stream_arrived(stream, numbers, MAX_LANES) >= 0 else []


def stream_keep(stream: int, max_bytes: int, max_messages: int) -> None:
    """Keep DATA, at most this much, until the peer has handled it."""
    check_connection(lib.gns_stream_keep(stream, max_bytes, max_messages))


def stream_acked(stream: int, numbers: Sequence[int]) -> None:
    """Let go of what the peer has handled: on each lane, DATA up to this number."""
    lib.gns_stream_acked(stream, numbers, len(numbers))


def stream_kept(stream: int) -> tuple[int, int]:
    """Return how many bytes and messages are kept."""
    kept = ffi.new("int64_t[2]")
    lib.gns_stream_kept(stream, kept, kept + 1)
    return kept[0], kept[1]


def stream_continue(
    stream: int, sent: Sequence[int], arrived: Sequence[int], totals: tuple[int, int, int, int]
) -> None:
    """Begin where another stream has stopped: after these numbers, one for each lane in each direction.

    Args:
        stream: Nothing was sent in it, and nothing has arrived.
        sent: The number of the last DATA that was sent on each lane.
        arrived: The number of the last DATA that has arrived on each lane; as many.
        totals: Payload bytes sent, payload bytes arrived, bytes and messages that may arrive in all.

    Raises:
        ConnectionGoneError: The stream is gone.
        InvalidStateError: It has begun.
        ValueError: A number is negative.
    """
    check_connection(lib.gns_stream_continue(stream, sent, arrived, len(sent), totals))


def stream_resume(stream: int, connection: int, handled: Sequence[int]) -> None:
    """Go on with another connection, on which DATA comes again from after these numbers, one for each lane.

    Raises:
        ConnectionGoneError: The stream or the connection is gone.
        InvalidStateError: The connection has a stream.
        ValueError: So much has not arrived.
    """
    check_connection(lib.gns_stream_resume(stream, connection, handled, len(handled)))


def stream_replay(stream: int) -> int:
    """Send what is kept again, as much as there is room for. Return how many messages are left.

    Raises:
        ConnectionGoneError: The stream or its connection is gone, or it has none.
        ValueError: The connection has too few lanes.
        MessageTooLarge: A message never fits into the connection's send buffer.
    """
    left = ffi.new("int64_t *")
    check_connection(lib.gns_stream_replay(stream, left))
    count: int = left[0]
    return count
