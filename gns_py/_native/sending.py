"""Sending messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..stats import SendQueue
from .failures import check, check_connection
from .library import ffi, lib

# (connection, data, size, flags, lane) -> message number or error code. An alias, because it is called most.
send = lib.gns_send


def send_many(connection: int, data: Any, sizes: Sequence[int], flags: int, lane: int) -> tuple[int, int, int]:
    """Queue several messages, which lie one after another in `data`.

    Returns:
        The number of messages taken or an error code, the number of the first one, and the error code of the first one
        that was not taken or 0.
    """
    first, failed = ffi.new("int64_t *"), ffi.new("int32_t *")
    taken: int = lib.gns_send_many(connection, data, sizes, len(sizes), flags, lane, first, failed)
    return taken, first[0], failed[0]


def broadcast(connections: Sequence[int], data: Any, size: int, flags: int, lane: int) -> list[int]:
    """Queue a message on each connection. Return for each its message number or error code."""
    results = ffi.new("int64_t[]", len(connections))
    check(lib.gns_broadcast(connections, len(connections), data, size, flags, lane, results))
    return list(ffi.unpack(results, len(connections)))


def readable(data: Any) -> Any:
    """Return a cffi view of `data`; its len() is in bytes.

    Release it, with release() or as a context manager, before an exception can leave the caller: the exception would
    keep the view alive and so the buffer locked, and CPython crashes when it collects a memoryview that anything but
    another memoryview refers to.

    Raises:
        TypeError: `data` is not a contiguous buffer.
    """
    if isinstance(data, str):
        raise TypeError("a message is bytes, not str: encode it")
    try:
        return ffi.from_buffer(data)
    except (TypeError, BufferError, ValueError):
        raise TypeError(f"a message is bytes or another contiguous buffer, not {type(data).__name__}") from None


release = ffi.release


def flush(connection: int) -> None:
    """Send the messages that wait for Nagle's timer now."""
    check_connection(lib.gns_flush(connection))


def configure_lanes(connection: int, priorities: Sequence[int], weights: Sequence[int]) -> None:
    """Set up the outgoing lanes of a connection, one for each priority."""
    check_connection(lib.gns_configure_lanes(connection, len(priorities), priorities, weights))


def send_queue(connection: int) -> SendQueue:
    """Return how much is queued or not acknowledged yet, and the limits."""
    queue = ffi.new("gns_send_queue *")
    check_connection(lib.gns_connection_send_queue(connection, queue))
    return SendQueue(queue.bytes, queue.messages, queue.segments, queue.max_bytes, queue.max_segments)


# (connection, timeout_us, max_bytes, max_segments) -> 1, 0 at the timeout, or an error code
wait_drained = lib.gns_connection_wait_drained


def notify_drained(connection: int, max_bytes: int, max_segments: int) -> None:
    """Request one EVENT_DRAINED, as soon as no more than this is queued or unacknowledged."""
    check_connection(lib.gns_connection_notify_drained(connection, max_bytes, max_segments))
