"""Open ports: accepting or dropping a request, closing, counting, and owning connections."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support import counts_references, eventually
from support.states import CLOSED_BY_PEER, CONNECTED

import gns_py
from gns_py._core.listener import Listener
from gns_py._core.mailbox import Mailbox
from gns_py._core.request import ConnectionRequest
from gns_py.limits import DEFAULT_LIMITS
from gns_py.sync import Connection, connect
from gns_py.sync.listener import open_listener


def open_here(*, owns_connections: bool = True) -> Listener[Connection]:
    return open_listener("127.0.0.1", 0, None, DEFAULT_LIMITS, None, owns_connections=owns_connections)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def port(stack: ExitStack) -> Listener[Connection]:
    """Return an open port."""
    port = open_here()
    stack.callback(port.close, 1001, "", linger=False)
    return port


def next_of(port: Listener[Connection]) -> ConnectionRequest[Connection]:
    """Read the port's mailbox until a request is among its events, and return that."""

    def request() -> Any:
        port.mailbox.receive(0.05)
        return next((each for each in port.mailbox.events if isinstance(each, ConnectionRequest)), None)

    found: ConnectionRequest[Connection] = eventually(request)
    port.mailbox.events.clear()
    return found


def test_a_request_is_accepted_into_a_mailbox(port: Listener[Connection], stack: ExitStack) -> None:
    client = stack.enter_context(connect(*port.address, wait=False))
    request, mailbox = next_of(port), Mailbox()
    connection = port.accept_or_drop(request, mailbox)
    assert connection is request.connection
    assert Connection.endpoint_of(connection).mailbox is mailbox
    assert port.connections == [connection]
    eventually(lambda: client.state == CONNECTED)
    connection.close()
    assert port.connections == []


def test_a_client_that_has_given_up_is_dropped(
    port: Listener[Connection], stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    client = stack.enter_context(connect(*port.address, wait=False))
    request = next_of(port)
    client.close(1500, "too late", linger=False)
    eventually(lambda: request.connection.state == CLOSED_BY_PEER)
    with caplog.at_level("INFO", "gns_py"):
        assert port.accept_or_drop(request, Mailbox()) is None
    assert "was not accepted: " in caplog.text
    assert request.connection.state == gns_py.ConnectionState.NONE
    assert port.connections == []


def test_closing_twice_keeps_the_first_end(port: Listener[Connection], stack: ExitStack) -> None:
    client = stack.enter_context(connect(*port.address, wait=False))
    connection = port.accept_or_drop(next_of(port), Mailbox())
    eventually(lambda: client.state == CONNECTED)
    assert repr(port) == f"<listen socket {port.address} open>"
    port.close(1500, "first")
    port.close(1501, "second")
    assert repr(port) == f"<listen socket {port.address} closed>"
    assert (client.wait_closed(5.0).code, client.end and client.end.text) == (1500, "first")
    assert connection is not None
    assert connection.end is not None
    assert connection.end.code == 1500
    with pytest.raises(ValueError, match="code is 5"):
        port.close(5, "")


def test_the_counters_outlive_the_port_and_the_runtime(port: Listener[Connection], stack: ExitStack) -> None:
    stack.enter_context(connect(*port.address, wait=False))
    port.accept_or_drop(next_of(port), None)
    counted = port.limit_counters
    assert counted.admitted == 1
    gns_py.stop(linger=0)
    assert port.limit_counters == counted
    port.close(1001, "")
    assert port.limit_counters == counted


def test_closing_counts_for_the_last_time(port: Listener[Connection], stack: ExitStack) -> None:
    stack.enter_context(connect(*port.address, wait=False))
    next_of(port)
    port.close(1001, "")
    assert port.limit_counters.admitted == 1


@counts_references
@pytest.mark.parametrize("owns_connections", [True, False])
def test_a_connection_lives_with_the_port_or_with_its_owner(stack: ExitStack, owns_connections: bool) -> None:
    port = open_here(owns_connections=owns_connections)
    stack.callback(port.close, 1001, "", linger=False)
    stack.enter_context(connect(*port.address, wait=False))
    request = next_of(port)
    connection = weakref.ref(request.connection)
    assert port.connections == [connection()]
    if owns_connections:
        del request
        assert port.connections == [connection()] != [None]
    else:
        with pytest.warns(ResourceWarning, match="unclosed connection"):
            del request
        assert connection() is None
        assert port.connections == []
