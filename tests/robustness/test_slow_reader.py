"""Readers that are too slow: within their bound they lose nothing, beyond it only they are closed."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest
from support.platforms import RATE

import gns_py.sync as gns

Process = subprocess.Popen[str]
INDEX = struct.Struct("<q")
COUNT = 20_000
SIZE = 1000
TOO_SLOW = "the reader was too slow: its receive queue is full"
MIB = 1 << 20


def indexes(messages: list[bytes]) -> list[int]:
    return [INDEX.unpack_from(message)[0] for message in messages]


@pytest.mark.parametrize("style", ["recv", "recv_many", "poll"])
def test_reader_that_sleeps_gets_everything_in_order(spawn: Callable[..., Process], style: str) -> None:
    # 20 MB exactly: the bound counts payloads.
    with gns.listen("127.0.0.1", 0, config=gns.Config(recv_queue_bytes=COUNT * SIZE)) as listener:
        sender = spawn("peer.py", "send", listener.address.port, COUNT, SIZE, RATE)
        connection = listener.accept(timeout=20)
        before = psutil.Process().memory_info().rss
        time.sleep(5)  # the reader's nap
        assert psutil.Process().memory_info().rss - before < 80 * MIB  # 1,000 bytes cost some 1,400 while they wait
        received: list[bytes] = []
        while len(received) < COUNT:
            if style == "recv":
                received.append(connection.recv(timeout=10))
            elif style == "recv_many":
                received.extend(message.data for message in connection.recv_many(timeout=10))
            else:
                events = connection.poll(timeout=10)
                assert events
                received.extend(event.message.data for event in events if isinstance(event, gns.MessageReceived))
        assert indexes(received) == list(range(COUNT))
        end = connection.wait_closed(timeout=10)
        assert (end.closed_by.name, end.code, end.text) == ("PEER", 1000, "all sent")
        connection.close()
    assert json.loads(sender.communicate(timeout=10)[0]) == {"sent": COUNT, "code": 0}


def test_reader_over_the_default_bound_is_closed_and_can_read_what_was_queued(spawn: Callable[..., Process]) -> None:
    with gns.listen("127.0.0.1", 0) as listener:
        sender = spawn("peer.py", "send", listener.address.port, COUNT, SIZE, RATE)
        connection = listener.accept(timeout=20)
        result = json.loads(sender.communicate(timeout=20)[0])
        assert result["code"] == gns.EndReason.MESSAGE_QUEUE_LIMIT_REACHED
        assert connection.state is gns.ConnectionState.PROBLEM_DETECTED_LOCALLY
        received = [connection.recv(timeout=10) for _ in range(8 * MIB // SIZE)]
        with pytest.raises(gns.ConnectionClosedError, match="2003 MESSAGE_QUEUE_LIMIT_REACHED") as raised:
            connection.recv(timeout=10)
        assert indexes(received) == list(range(8 * MIB // SIZE))
        assert (raised.value.end.closed_by.name, raised.value.text) == ("PROBLEM", TOO_SLOW)
        connection.close()


@pytest.mark.parametrize(
    ("bound", "size", "fitting"),
    [
        (gns.Config(recv_queue_bytes=64_000), 1000, 64),
        (gns.Config(recv_queue_messages=100), 8, 100),
        (gns.Config(recv_queue_bytes=4096), 8, 512),
    ],
)
def test_only_the_connection_over_its_bound_suffers(bound: gns.Config, size: int, fitting: int) -> None:
    with (
        gns.listen("127.0.0.1", 0, config=bound) as listener,
        gns.connect("127.0.0.1", listener.address.port, wait=False) as greedy,
        gns.connect("127.0.0.1", listener.address.port, wait=False) as modest,
    ):
        accepted: dict[int, gns.Connection] = {}
        end = time.monotonic() + 10
        while len(accepted) < 2 or not all(each.state is gns.ConnectionState.CONNECTED for each in (greedy, modest)):
            assert time.monotonic() < end
            for event in listener.poll(timeout=1):
                if isinstance(event, gns.ConnectionRequest):
                    connection = event.accept()
                    assert connection.remote_address is not None
                    accepted[connection.remote_address.port] = connection
        for number in range(10):
            modest.send(INDEX.pack(number))
        modest.drain(timeout=10)
        padding = bytes(size - INDEX.size)
        # One call, so that everything is queued before the end can be known.
        greedy.send_many([INDEX.pack(number) + padding for number in range(fitting + 200)])
        told = greedy.wait_closed(timeout=10)
        assert (told.closed_by.name, told.code, told.text) == ("PEER", 2003, TOO_SLOW)
        assert greedy.state is gns.ConnectionState.CLOSED_BY_PEER

        received: dict[gns.Connection, list[int]] = {connection: [] for connection in accepted.values()}
        ends: list[gns.StatusChanged[gns.Connection]] = []
        while not ends or sum(map(len, received.values())) < fitting + 10:
            events = listener.poll(timeout=5)
            assert events, f"{received}, {ends}"
            for event in events:
                if isinstance(event, gns.MessageReceived):
                    assert not any(each.connection is event.connection for each in ends), "a message after the end"
                    received[event.connection].extend(indexes([event.message.data]))
                elif isinstance(event, gns.StatusChanged) and event.end:
                    ends.append(event)
        assert len(ends) == 1
        slow = ends[0].connection
        assert ends[0].new is gns.ConnectionState.PROBLEM_DETECTED_LOCALLY
        assert ends[0].end is not None
        assert (ends[0].end.closed_by.name, ends[0].end.code, ends[0].end.text) == ("PROBLEM", 2003, TOO_SLOW)
        (other,) = (connection for connection in received if connection is not slow)
        assert received[slow] == list(range(fitting))
        assert received[other] == list(range(10))
        with pytest.raises(gns.ConnectionClosedError):
            slow.send(b"too late")
        assert listener.connections == [other]

        other.send(b"still here")
        assert modest.recv(timeout=5) == b"still here"
        modest.send(INDEX.pack(10))
        (last,) = (event for event in listener.poll(timeout=5) if isinstance(event, gns.MessageReceived))
        assert (last.connection, last.message.data) == (other, INDEX.pack(10))
        slow.close()
        assert listener.poll() == []


def test_one_message_larger_than_the_bound_still_arrives(bulk: Callable[..., gns.Config]) -> None:
    config = bulk(recv_queue_bytes=4096)
    with (
        gns.listen("127.0.0.1", 0, config=config) as listener,
        gns.connect("127.0.0.1", listener.address.port, config=config, wait=False) as client,
    ):
        server = listener.accept(timeout=10)
        for size in (4096, 4097, 524_288):
            client.send(bytes(size))
            assert server.recv(timeout=10) == bytes(size)
        server.close()


@pytest.mark.parametrize("wait", ["drain", "wait_closed"])
def test_waiting_for_something_else_keeps_the_bound(wait: str) -> None:
    """Messages that arrive during drain() and wait_closed() are kept for recv(), but not without a limit."""
    bound = 1000
    # Slow enough that a wait which takes all messages would keep up and never reach the core's bound.
    flooding = gns.Config(send_rate_min=500_000, send_rate_max=500_000, send_buffer_size=4 * MIB)
    # Its own messages need most of a minute to leave, so drain() has something to wait for.
    reading = gns.Config(recv_queue_messages=bound, send_rate_min=1024, send_rate_max=1024, send_buffer_size=100_000)
    with (
        gns.listen("127.0.0.1", 0, config=flooding) as listener,
        gns.connect("127.0.0.1", listener.address.port, config=reading, wait=False) as reader,
    ):
        flooder = listener.accept(timeout=10)
        flooder.send(b"connected")
        assert reader.recv(timeout=10) == b"connected"
        reader.send_many([bytes(900)] * 100)
        flooder.send_many([INDEX.pack(number) + bytes(92) for number in range(6000)])
        if wait == "drain":
            with pytest.raises(gns.ConnectionClosedError, match="2003"):
                reader.drain(timeout=10)
        else:
            assert reader.wait_closed(timeout=10).code == gns.EndReason.MESSAGE_QUEUE_LIMIT_REACHED
        received = [reader.recv(timeout=5) for _ in range(bound)]
        with contextlib.suppress(gns.ConnectionClosedError):
            while True:
                received.append(reader.recv(timeout=5))
        # Python and the core each keep up to the bound, with one batch in between.
        assert indexes(received) == list(range(len(received)))
        assert bound <= len(received) <= 2 * bound + 1024
        flooder.close(linger=False)
