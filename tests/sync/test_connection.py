"""Connections where blocking differs: timeouts as arguments, poll(), threads. For the rest see tests/contract."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, eventually, poll_until
from support.threads import until_waiting

import gns_py.sync as gns
from gns_py import ClosedBy
from gns_py.sync import ConcurrencyError, Connection, MessageReceived, StatusChanged

Pair = tuple[Connection, Connection]
PairMaker = Callable[..., Pair]


@pytest.mark.parametrize("timeout", [0, 0.0, 0.2])
def test_receiving_times_out(pair: Pair, timeout: float) -> None:
    _, server = pair
    for receive in (server.recv, server.recv_message, server.recv_many):
        began = time.monotonic()
        with pytest.raises(TimeoutError, match=rf"^no message within {timeout} s$"):
            receive(timeout=timeout)
        assert timeout <= time.monotonic() - began < (timeout + 2.0) * PATIENCE


def test_the_other_waits_time_out_too(pair: Pair) -> None:
    client, server = pair
    with pytest.raises(TimeoutError, match=r"^the connection did not end within 0.1 s$"):
        server.wait_closed(timeout=0.1)
    client.set_config(gns.Config(send_rate_min=1024, send_rate_max=1024, send_buffer_size=20_000))
    while client.send_queue().bytes < 18_000:
        client.send(bytes(1000))
    with pytest.raises(TimeoutError, match=r"^the send queue did not drain within 0.2 s$"):
        client.drain(timeout=0.2)
    client.close(linger=False)


def waiting_calls(connection: Connection) -> list[Callable[..., object]]:
    return [
        connection.recv,
        connection.recv_message,
        connection.recv_many,
        connection.poll,
        connection.wait_closed,
        connection.drain,
    ]


@pytest.mark.parametrize(
    ("timeout", "exception", "text"),
    [
        (-0.1, ValueError, "timeout is -0.1: it must not be negative"),
        (-math.inf, ValueError, "timeout is -inf: it must not be negative"),
        (math.nan, ValueError, "timeout is nan: it must not be negative"),
        ("1", TypeError, "timeout must be seconds or None, not str"),
        (True, TypeError, "timeout must be seconds or None, not bool"),
    ],
)
def test_wrong_times(pair: Pair, timeout: Any, exception: type[Exception], text: str) -> None:
    for wait in waiting_calls(pair[1]):
        with pytest.raises(exception) as wrong:
            wait(timeout=timeout)
        assert type(wrong.value) is exception
        assert str(wrong.value) == text


@pytest.mark.parametrize("timeout", [None, math.inf, 1e300, 1e12])
def test_no_time_limit_in_any_thread(pair: Pair, timeout: float | None) -> None:
    client, server = pair
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(server.recv(timeout=timeout)))
    thread.start()
    client.send(b"to the thread")
    thread.join(timeout=5.0)
    client.send(b"to the main thread")
    received.append(server.recv(timeout=timeout))
    assert received == [b"to the thread", b"to the main thread"]


def test_poll_gives_everything_in_order(make_pair: PairMaker) -> None:
    client, server = make_pair()
    client.send(b"one")
    client.send(b"two")
    eventually(lambda: client.send_queue().messages == 0)
    client.close(1111, "bye")
    events = poll_until(server, lambda event: isinstance(event, StatusChanged) and event.end)
    assert all(event.connection is server for event in events)
    assert [type(event) for event in events] == [StatusChanged, MessageReceived, MessageReceived, StatusChanged]
    last = events[-1]
    assert isinstance(last, StatusChanged)
    assert last.end == gns.ConnectionEnd(ClosedBy.PEER, 1111, "bye")
    assert server.poll(timeout=5.0) == []  # at once: nothing can arrive any longer


def test_nothing_is_lost_between_recv_and_poll(pair: Pair) -> None:
    client, server = pair
    client.send_many([b"%d" % number for number in range(6)])
    eventually(lambda: client.send_queue().messages == 0)
    assert server.recv(timeout=5.0) == b"0"
    polled = server.poll(timeout=5.0)
    client.send(b"6")
    eventually(lambda: client.send_queue().messages == 0)
    got = [event.message.data for event in polled if isinstance(event, MessageReceived)]
    got += [message.data for message in server.recv_many(timeout=5.0)]
    assert got == [b"%d" % number for number in range(1, 7)]


def test_two_threads_must_not_read_one_connection_at_once(pair: Pair) -> None:
    client, server = pair
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(server.recv(timeout=5.0)))
    thread.start()
    until_waiting(thread)
    for read in (server.recv, server.recv_message, server.recv_many, server.poll):
        with pytest.raises(ConcurrencyError, match=r"^two threads read the same connection or listen socket at once$"):
            read(timeout=1.0)
    with pytest.raises(ConcurrencyError):
        next(iter(server))
    client.send(b"for the first")
    thread.join(timeout=5.0)
    assert received == [b"for the first"]
    client.send(b"for the second")
    assert server.recv(timeout=5.0) == b"for the second"
