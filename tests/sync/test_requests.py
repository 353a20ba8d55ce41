"""Requests among the events of a mailbox: iterating over them, and polling for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from support import PATIENCE, eventually
from support.states import CLOSED_BY_PEER

from gns_py import ConnectionRequest, StatusChanged
from gns_py._core.deadline import Deadline
from gns_py._core.listener import Listener
from gns_py.limits import DEFAULT_LIMITS
from gns_py.sync import Connection, connect
from gns_py.sync.listener import open_listener
from gns_py.sync.polling import poll
from gns_py.sync.requests import requests_of

TIMEOUT = 10.0 * PATIENCE


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def port(stack: ExitStack) -> Listener[Connection]:
    """Return an open port."""
    port = open_listener("127.0.0.1", 0, None, DEFAULT_LIMITS, None)
    stack.callback(port.close, 1001, "", linger=False)
    return port


def read_until(port: Listener[Connection], count: int) -> None:
    """Read the port's mailbox until it has this many events."""

    def has_them() -> bool:
        port.mailbox.receive(0.05)
        return len(port.mailbox.events) >= count

    eventually(has_them)


def test_requests_arrive_in_order_until_the_deadline(port: Listener[Connection], stack: ExitStack) -> None:
    for count in (1, 2):
        stack.enter_context(connect(*port.address, wait=False))
        read_until(port, count)
    expected = port.connections
    requests = requests_of(port, Deadline(TIMEOUT))
    assert [next(requests).connection for _ in range(2)] == expected
    assert list(requests_of(port, Deadline(0.0))) == []


def test_a_connection_of_a_request_is_read_by_itself(port: Listener[Connection], stack: ExitStack) -> None:
    client = stack.enter_context(connect(*port.address, wait=False))
    client.send(b"early")
    read_until(port, 1)
    (event,) = port.mailbox.events
    end = Connection.endpoint_of(event.connection)
    assert end.events is port.mailbox.events
    request = next(requests_of(port, Deadline(TIMEOUT)))
    assert request is event
    assert end.events is None
    assert request.accept().recv(TIMEOUT) == b"early"


def test_a_poll_returns_the_request_of_a_client_that_gave_up(port: Listener[Connection], stack: ExitStack) -> None:
    client = stack.enter_context(connect(*port.address, wait=False))
    read_until(port, 1)
    client.close(1500, "too late", linger=False)
    eventually(lambda: port.connections[0].state == CLOSED_BY_PEER)
    read_until(port, 2)
    request, change = poll(port.mailbox, 0.0, lambda: False)
    assert isinstance(request, ConnectionRequest)
    assert isinstance(change, StatusChanged)
    assert change.end is not None
    assert change.end.code == 1500
    assert port.connections == []
    request.reject()


def test_closing_the_port_ends_the_iteration(port: Listener[Connection]) -> None:
    found: list[object] = []
    reader = threading.Thread(target=lambda: found.extend(requests_of(port, Deadline(None))))
    reader.start()
    eventually(lambda: port.mailbox.is_read)
    port.close(1001, "")
    reader.join(TIMEOUT)
    assert not reader.is_alive()
    assert found == []
