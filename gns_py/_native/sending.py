"""Sending messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..stats import SendQueue
from .failures import check
from .library import ffi, lib

# (connection, data, size, flags, lane) -> number or error: called as it is, because it is called most.
send = lib.gns_send


def send_many(connection: int, data: Any, sizes: Sequence[int], flags: int, lane: int) -> tuple[int, int, int]:
    """How many were taken (or an error), the first one's number, and the error of the one after them, or 0.

    data: the messages, one after another.
    """
    first, failed = ffi.new("int64_t *"), ffi.new("int32_t *")
    taken: int = lib.gns_send_many(connection, data, sizes, len(sizes), flags, lane, first, failed)
    return taken, first[0], failed[0]


def broadcast(connections: Sequence[int], data: Any, size: int, flags: int, lane: int) -> list[int]:
    """Each one's message number, or error."""
    results = ffi.new("int64_t[]", len(connections))
    check(lib.gns_broadcast(connections, len(connections), data, size, flags, lane, results))
    return list(ffi.unpack(results, len(connections)))


def readable(data: Any) -> Any:
    """Any buffer as what the core takes; its len() is in bytes. TypeError: not one, or not contiguous.

    To be released, by release() or as a context manager, before an exception can leave: that would keep it, and so the
    buffer locked; and CPython crashes when it collects a memoryview that something else than another one looks into.
    """
    if isinstance(data, str):
        raise TypeError("a message is bytes, not str: encode it")
    try:
        return ffi.from_buffer(data)
    except (TypeError, BufferError, ValueError):
        raise TypeError(f"a message is bytes or another contiguous buffer, not {type(data).__name__}") from None


release = ffi.release


def flush(connection: int) -> int:
    return int(lib.gns_flush(connection))


def configure_lanes(connection: int, priorities: Sequence[int], weights: Sequence[int]) -> int:
    return int(lib.gns_configure_lanes(connection, len(priorities), priorities, weights))


def send_queue(connection: int) -> SendQueue | int:
    queue = ffi.new("gns_send_queue *")
    result: int = lib.gns_connection_send_queue(connection, queue)
    return result or SendQueue(queue.bytes, queue.messages, queue.segments, queue.max_bytes, queue.max_segments)


# (connection, timeout_us, max_bytes, max_segments) -> 1, 0 at the timeout, or error
wait_drained = lib.gns_connection_wait_drained
# (connection, max_bytes, max_segments) -> 0 or error; an EVENT_DRAINED follows
notify_drained = lib.gns_connection_notify_drained
