"""Listen sockets and servers where blocking differs: poll(), timeouts as arguments. For the rest see tests/contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from support import PATIENCE, eventually, next_event, poll_until, until_connected, until_ended
from support.threads import until_waiting

import gns_py
import gns_py.sync as gns
from gns_py import ClosedBy, Config, EndReason
from gns_py.sync import (
    ConcurrencyError,
    Connection,
    ConnectionRequest,
    ListenSocket,
    MessageReceived,
    StatusChanged,
)

Connect = Callable[..., Connection]


def read(connection: Connection) -> None:
    list(connection)


@pytest.fixture
def connect(listener: ListenSocket) -> Iterator[Connect]:
    """Yield a function that begins to connect to the listen socket; the connections are closed after the test."""
    clients: list[Connection] = []

    def begin(config: Config | None = None) -> Connection:
        clients.append(gns.connect("127.0.0.1", listener.address.port, config=config, wait=False))
        return clients[-1]

    yield begin
    for client in clients:
        client.close()


def test_poll_tells_of_requests_messages_and_changes_in_order(listener: ListenSocket, connect: Connect) -> None:
    client = connect()
    client.send(b"one")
    request = next_event(listener, ConnectionRequest)
    server = request.accept()
    client.send_many([b"two", b"three"])
    events = poll_until(listener, lambda event: isinstance(event, MessageReceived) and event.message.data == b"three")
    client.close(1500, "bye")
    events += until_ended(listener)
    assert [event.connection for event in events] == [server] * 5
    assert [type(event) for event in events] == [StatusChanged, *[MessageReceived] * 3, StatusChanged]
    messages = [event.message for event in events if isinstance(event, MessageReceived)]
    assert [(message.data, message.number) for message in messages] == [(b"one", 1), (b"two", 2), (b"three", 3)]
    changes = [event for event in events if isinstance(event, StatusChanged)]
    assert [(change.old.name, change.new.name, change.end is not None) for change in changes] == [
        ("CONNECTING", "CONNECTED", False),
        ("CONNECTED", "CLOSED_BY_PEER", True),
    ]
    assert changes[0].time_us <= messages[0].received_us <= changes[1].time_us <= gns_py.time_us()
    server.close()


def test_poll_returns_at_once_without_a_timeout_and_after_it_with_one(listener: ListenSocket) -> None:
    began = time.monotonic()
    assert listener.poll() == []
    assert time.monotonic() - began < 1.0 * PATIENCE
    assert listener.poll(timeout=0.2) == []
    assert 0.2 <= time.monotonic() - began < 2.0 * PATIENCE


def test_poll_wakes_at_the_first_event(listener: ListenSocket, connect: Connect) -> None:
    began = time.monotonic()
    timer = threading.Timer(0.1, connect)
    timer.start()
    assert [type(event) for event in listener.poll(timeout=10.0)] == [ConnectionRequest]
    assert time.monotonic() - began < 2.0 * PATIENCE
    timer.join()


def test_closing_in_another_thread_ends_a_poll(listener: ListenSocket) -> None:
    timer = threading.Timer(0.1, listener.close)
    timer.start()
    assert listener.poll(None) == []
    timer.join()


def test_closing_here_ends_a_poll_in_another_thread(listener: ListenSocket) -> None:
    polled: list[list[object]] = []
    thread = threading.Thread(target=lambda: polled.append(list(listener.poll(None))))
    thread.start()
    until_waiting(thread)
    listener.close()
    thread.join(timeout=2.0)
    assert polled == [[]]


def test_two_threads_must_not_read_at_once(listener: ListenSocket) -> None:
    thread = threading.Thread(target=lambda: listener.poll(timeout=0.5))
    thread.start()
    until_waiting(thread)
    for read in (listener.poll, lambda: listener.accept(timeout=1.0)):
        with pytest.raises(ConcurrencyError, match=r"^two threads read the same connection or listen socket at once$"):
            read()
    thread.join()
    assert listener.poll() == []


def test_polling_a_closed_listen_socket_gives_what_was_left_and_then_nothing(
    listener: ListenSocket, connect: Connect
) -> None:
    client = connect()
    server = next_event(listener, ConnectionRequest).accept()
    until_connected(listener)
    listener.close()
    (event,) = listener.poll()
    assert isinstance(event, StatusChanged)
    assert event.connection is server
    assert event.end == gns.ConnectionEnd(ClosedBy.LOCAL, EndReason.GOING_AWAY, "")
    began = time.monotonic()
    assert listener.poll(timeout=5.0) == []
    assert time.monotonic() - began < 2.5 * PATIENCE
    assert client.wait_closed(timeout=5.0).code == EndReason.GOING_AWAY


def test_a_connection_may_change_to_recv_and_back_to_poll(listener: ListenSocket, connect: Connect) -> None:
    client = connect()
    client.send_many([b"%d" % number for number in range(4)])
    server = next_event(listener, ConnectionRequest).accept()
    assert server.recv(timeout=5.0) == b"0"
    eventually(lambda: client.send_queue().messages == 0)
    assert server.recv(timeout=5.0) == b"1"
    events = server.poll(timeout=1.0)
    assert [event.message.data for event in events if isinstance(event, MessageReceived)] == [b"2", b"3"]
    client.close()
    assert server.wait_closed(timeout=5.0).ok
    server.close()


def test_the_end_of_a_client_refused_while_iterating_is_not_an_event(listener: ListenSocket, connect: Connect) -> None:
    clients = [connect(), connect()]
    for request, client in zip(listener, clients, strict=True):
        request.reject(1400, "no")
        assert client.wait_closed(timeout=5.0).code == 1400
        if client is clients[-1]:
            listener.close()
    assert listener.poll() == []


def test_accept_times_out(listener: ListenSocket) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^no client connected within 0.2 s$"):
        listener.accept(timeout=0.2)
    assert 0.2 <= time.monotonic() - began < 2.0 * PATIENCE
    with pytest.raises(TimeoutError, match=r"^no client connected within 0 s$"):
        listener.accept(timeout=0)


def test_waiting_for_handlers_times_out() -> None:
    with gns.serve(read, "127.0.0.1", 0) as server:
        with (
            gns.connect(*server.address) as client,
            pytest.raises(TimeoutError, match=r"^the handlers did not end within 0.1 s$"),
        ):
            server.wait_closed(timeout=0.1)
        assert client.end is not None


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_wrong_times(listener: ListenSocket, timeout: float) -> None:
    for wait in (listener.poll, listener.accept):
        with pytest.raises(ValueError, match=rf"^timeout is {timeout}: it must not be negative$"):
            wait(timeout=timeout)
