"""A connection's handle: the core's codes as exceptions, the room that drain() makes, and the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import eventually

import gns_py
from gns_py import (
    ClosedBy,
    Config,
    ConnectionClosed,
    ConnectionClosedOK,
    ConnectionEnd,
    EndReason,
    MessageTooLarge,
    Result,
    SendQueueFull,
    _native,
)
from gns_py._core.endpoint import Endpoint
from gns_py._core.mailbox import Mailbox
from gns_py.sync import Connection

Ends = tuple[Connection, Endpoint]
ReadUntil = Callable[[Mailbox, Callable[[], object]], None]


def test_a_connection_that_is_gone_is_closed(ends: Ends) -> None:
    _, end = ends
    assert end.ask(_native.state, end.handle) == gns_py.ConnectionState.CONNECTED
    end.check_alive()
    end.close(1500, "bye")
    with pytest.raises(ConnectionClosedOK, match="bye"):
        end.ask(_native.send_queue, end.handle)
    with pytest.raises(ConnectionClosedOK, match="bye"):
        end.check_alive()


def test_codes_are_exceptions(ends: Ends) -> None:
    _, end = ends
    end.check(0)
    with pytest.raises(ValueError, match="lane 3 is not configured: this connection has 1"):
        end.raise_error(-Result.INVALID_PARAM, lane=3)
    with pytest.raises(SendQueueFull, match="the send queue is full") as full:
        end.raise_error(_native.LIMIT_EXCEEDED, size=1000, sent=2)
    assert full.value.sent == 2
    end.close(1500, "bye")
    with pytest.raises(ConnectionClosedOK, match="bye"):
        end.raise_error(next(iter(_native.GONE)))


def test_a_message_that_is_too_large_names_the_limit(ends: Ends) -> None:
    sender, end = ends
    largest = _native.MAX_MESSAGE_SIZE
    with pytest.raises(MessageTooLarge, match=f"^a message may have {largest} bytes, not 600000$") as too_large:
        end.raise_error(_native.TOO_LARGE, size=600_000, sent=3)
    assert too_large.value.sent == 3
    sender.set_config(Config(send_buffer_size=5000))
    with pytest.raises(MessageTooLarge, match="with this send_buffer_size a message may have 5000 bytes, not 5001"):
        sender.send(bytes(5001))


def test_drain_makes_room_for_the_largest_message_that_was_refused(ends: Ends) -> None:
    _, end = ends
    queue = end.send_queue()
    half = queue.max_bytes - queue.max_bytes // 2
    assert end.drain_mark(queue) == (half, queue.max_segments // 2)
    for size in (queue.max_bytes - 10, 20):
        with pytest.raises(SendQueueFull):
            end.raise_error(_native.LIMIT_EXCEEDED, size=size)
    assert end.drain_mark(queue) == (10, 0)
    with pytest.raises(SendQueueFull):
        end.raise_error(_native.LIMIT_EXCEEDED, size=2 * queue.max_bytes)
    assert end.drain_mark(queue) == (0, 0)
    end.forget_refused()
    assert end.drain_mark(queue) == (half, queue.max_segments // 2)


def test_the_end_is_known_before_its_event_is_read(ends: Ends, read_until: ReadUntil) -> None:
    sender, end = ends
    assert end.current_end() is None
    sender.close(1500, "bye")
    expected = ConnectionEnd(ClosedBy.PEER, 1500, "bye")
    eventually(lambda: end.current_end() == expected)
    assert end.end is None
    own = end.closed_error()
    assert own.end == expected
    assert end.is_own_end(own)
    assert not end.is_own_end(ConnectionClosed(ConnectionEnd(ClosedBy.PEER, 1501, "bye")))
    assert not end.is_own_end(ConnectionError("bye"))
    read_until(end.mailbox, lambda: end.end == expected)
    assert end.current_end() == expected


def test_a_stop_of_the_runtime_is_an_end(ends: Ends) -> None:
    _, end = ends
    gns_py.stop(linger=0)
    stopped = end.closed_error()
    assert (stopped.end.closed_by, stopped.code) == (ClosedBy.LOCAL, EndReason.SHUTDOWN)
    assert end.is_own_end(stopped)
    assert end.current_end() == stopped.end
