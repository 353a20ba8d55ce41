"""Receiving messages."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import pytest
from support import PATIENCE, eventually

import gns_py
from gns_py import ClosedBy, Config, ConnectionClosedError, ConnectionClosedOK, ConnectionState, EndReason, Message
from gns_py.sync import Connection

Pair = tuple[Connection, Connection]
PairMaker = Callable[..., Pair]


def wait_delivered(connection: Connection) -> None:
    eventually(lambda: connection.send_queue().messages == 0, what="the delivery of all that was sent")


def test_recv_message_tells_more_than_the_data(pair: Pair) -> None:
    client, server = pair
    client.configure_lanes([0, 1])
    before = gns_py.time_us()
    client.send(b"one")
    client.send(b"two", reliable=False, lane=1)
    messages = [server.recv_message(timeout=5.0), server.recv_message(timeout=5.0)]
    by_lane = {message.lane: message for message in messages}
    assert isinstance(messages[0], Message)
    assert by_lane[0][:4] == (b"one", 1, 0, True)
    assert by_lane[1][:4] == (b"two", 1, 1, False)
    assert all(before <= message.received_us <= gns_py.time_us() for message in messages)


def test_recv_many_takes_what_is_there(pair: Pair) -> None:
    client, server = pair
    client.send_many([b"%d" % number for number in range(10)])
    wait_delivered(client)
    assert [message.data for message in server.recv_many(limit=3, timeout=5.0)] == [b"0", b"1", b"2"]
    rest: list[bytes] = []
    while len(rest) < 7:
        rest += [message.data for message in server.recv_many(timeout=5.0)]
    assert rest == [b"%d" % number for number in range(3, 10)]


@pytest.mark.parametrize("limit", [0, -1])
def test_recv_many_takes_one_at_least(pair: Pair, limit: int) -> None:
    with pytest.raises(ValueError, match=rf"^limit is {limit}: it must be at least 1$"):
        pair[1].recv_many(limit=limit)


def test_a_recv_that_times_out_loses_no_message(pair: Pair) -> None:
    client, server = pair
    timed_out = threading.Event()

    def send() -> None:
        for number in range(500):
            client.send(b"%d" % number, nagle=False)
            if number % 10 == 0:
                timed_out.clear()
                timed_out.wait(5.0 * PATIENCE)
                time.sleep(0.002)  # so that the next messages arrive at any moment of a wait

    thread = threading.Thread(target=send)
    thread.start()
    received: list[bytes] = []
    timeouts = 0
    end = time.monotonic() + 20.0 * PATIENCE
    while len(received) < 500 and time.monotonic() < end:
        with contextlib.suppress(TimeoutError):
            received.append(server.recv(timeout=0.0005))
            continue
        timeouts += 1
        timed_out.set()
    thread.join()
    assert timeouts > 0
    assert received == [b"%d" % number for number in range(500)]


@pytest.mark.parametrize(
    "bound", [Config(recv_queue_messages=5), Config(recv_queue_bytes=6000)], ids=["messages", "bytes"]
)
def test_an_end_that_does_not_read_is_cut_off_and_keeps_what_it_has_room_for(
    make_pair: PairMaker, bound: Config
) -> None:
    client, server = make_pair(server_config=bound)
    sent = [bytes([number]) * 1000 for number in range(20)]
    client.send_many(sent)
    end = server.wait_closed(timeout=5.0)
    assert (end.closed_by, end.code) == (ClosedBy.PROBLEM, EndReason.MESSAGE_QUEUE_LIMIT_REACHED)
    assert client.wait_closed(timeout=5.0).code == EndReason.MESSAGE_QUEUE_LIMIT_REACHED
    received: list[bytes] = []
    with pytest.raises(ConnectionClosedError):
        received.extend(server)
    assert 1 <= len(received) <= 6
    assert received == sent[: len(received)]


@pytest.mark.parametrize(
    "read",
    [
        lambda connection: [connection.recv(timeout=5.0)],
        lambda connection: [connection.recv_message(timeout=5.0).data],
        lambda connection: [bytes(connection.recv_message(timeout=5.0, copy=False).data)],
        lambda connection: [message.data for message in connection.recv_many(timeout=5.0)],
        lambda connection: [next(iter(connection))],
    ],
    ids=["recv", "recv_message", "view", "recv_many", "iteration"],
)
def test_what_was_read_counts_no_longer(make_pair: PairMaker, read: Callable[[Connection], list[bytes]]) -> None:
    client, server = make_pair(server_config=Config(recv_queue_messages=5, recv_queue_bytes=6000))
    for number in range(3):
        client.send_many([bytes([number]) * 1000] * 4)
        wait_delivered(client)
        received: list[bytes] = []
        while len(received) < 4:
            received += read(server)
        assert received == [bytes([number]) * 1000] * 4
    assert server.end is None


def test_iterating_ends_with_a_normal_close(pair: Pair) -> None:
    client, server = pair
    client.send_many([b"one", b"two"])
    client.close(1999, "done")
    assert list(server) == [b"one", b"two"]
    assert list(server) == []


def test_iterating_raises_at_any_other_end(pair: Pair) -> None:
    client, server = pair
    client.send_many([b"one", b"two"])
    client.close(2000, "crash")
    received: list[bytes] = []
    with pytest.raises(ConnectionClosedError, match=r"^closed by the peer, 2000 APP_EXCEPTION_GENERIC: crash$"):
        received.extend(server)
    assert received == [b"one", b"two"]


def test_sending_closing_and_waiting_work_while_another_thread_reads(pair: Pair) -> None:
    client, server = pair
    ended: list[BaseException] = []

    def read() -> None:
        try:
            server.recv()
        except ConnectionClosedOK as error:
            ended.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    server.send(b"hello")
    server.drain(timeout=5.0)
    assert client.recv(timeout=5.0) == b"hello"
    assert server.stats().state is ConnectionState.CONNECTED
    with pytest.raises(TimeoutError):
        server.wait_closed(timeout=0.1)
    server.close(1234, "from outside")
    thread.join(timeout=2.0)
    assert [str(error) for error in ended] == ["closed by this end, 1234 APP_1234: from outside"]
