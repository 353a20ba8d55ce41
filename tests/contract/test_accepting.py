"""How listen sockets accept, iterate and hand out requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from support import Api, echo, eventually, next_request

from gns_py import ConnectionClosedOK, ConnectionState, InvalidStateError, StatusChanged
from gns_py.sync import Connection, ListenSocket

Connect = Callable[..., Connection]


def test_accept_gives_a_connection_to_be_read_on_its_own(listener: ListenSocket, connect: Connect) -> None:
    clients = [connect(), connect()]
    servers = [listener.accept(timeout=5.0), listener.accept(timeout=5.0)]
    for number, client in enumerate(clients):
        client.send(b"%d" % number)
    assert sorted(server.recv(timeout=5.0) for server in servers) == [b"0", b"1"]
    assert [server.state for server in servers] == [ConnectionState.CONNECTED] * 2


def test_accept_times_out(listener: ListenSocket, connect: Connect) -> None:
    with pytest.raises(TimeoutError):
        listener.accept(timeout=0.1)
    client = connect()
    with listener.accept(timeout=5.0):
        eventually(lambda: client.state is ConnectionState.CONNECTED)


@pytest.mark.parametrize("wait", [lambda listener: listener.accept(), list], ids=["accept", "iteration"])
def test_closing_from_another_thread_ends_the_wait(
    listener: ListenSocket, wait: Callable[[ListenSocket], object]
) -> None:
    timer = threading.Timer(0.05, listener.close)
    timer.start()
    outcome: object = None
    try:
        outcome = wait(listener)
    except InvalidStateError as error:
        outcome = str(error)
    assert outcome in ([], "the listen socket is closed")
    timer.join()


def test_accept_passes_over_clients_that_have_given_up(listener: ListenSocket, connect: Connect) -> None:
    for _ in range(3):
        connect().close(1001, "changed my mind")
    staying = connect()
    staying.send(b"still here")
    with listener.accept(timeout=5.0) as server:
        assert server.recv(timeout=5.0) == b"still here"
        assert listener.connections == [server]
    with pytest.raises(TimeoutError):
        listener.accept(timeout=0.1)


def test_accept_on_a_closed_listen_socket(listener: ListenSocket) -> None:
    listener.close()
    with pytest.raises(InvalidStateError, match=r"^the listen socket is closed$"):
        listener.accept(timeout=1.0)


def test_requests_can_be_iterated(listener: ListenSocket, connect: Connect) -> None:
    clients = [connect(), connect(), connect()]
    seen = []
    for request in listener:
        seen.append(request.connection)
        if len(seen) == 2:
            request.reject(1400, "not the second one")
        else:
            request.accept()
        if len(seen) == 3:
            break
    eventually(lambda: sum(client.state is ConnectionState.CONNECTED for client in clients) == 2)
    eventually(lambda: [end.code for client in clients if (end := client.end)] == [1400])
    assert seen[1].end is not None
    listener.close()
    assert list(listener) == []


def test_a_request_is_accepted_once(listener: ListenSocket, connect: Connect) -> None:
    connect()
    request = next_request(listener)
    assert request.accept() is request.connection
    with pytest.raises(InvalidStateError):
        request.accept()
    assert request.connection.state is ConnectionState.CONNECTED


def test_a_request_whose_client_has_given_up_cannot_be_accepted(listener: ListenSocket, connect: Connect) -> None:
    client = connect()
    request = next_request(listener)
    client.close(1001, "changed my mind")
    eventually(lambda: request.connection.end is not None)
    with pytest.raises(ConnectionClosedOK, match=r"^closed by the peer, 1001 GOING_AWAY: changed my mind$"):
        request.accept()
    request.connection.close()


@pytest.mark.parametrize(
    ("arguments", "exception", "text"),
    [
        ((999,), ValueError, "code is 999: use 1000 to 1999 for a normal end, 2000 to 2999 for a fault"),
        ((3000,), ValueError, "code is 3000: use 1000 to 1999 for a normal end, 2000 to 2999 for a fault"),
        (("1000",), TypeError, "code must be an int, not str"),
        ((1000, b"text"), TypeError, "text must be a str, not bytes"),
        ((1000, "a\0b"), ValueError, "text has a NUL byte"),
        ((1000, "ä" * 64), ValueError, "text has 128 bytes: at most 127 are allowed"),
    ],
)
def test_wrong_goodbyes_close_nothing(
    api: Api,
    listener: ListenSocket,
    connect: Connect,
    arguments: tuple[Any, ...],
    exception: type[Exception],
    text: str,
) -> None:
    connect()
    request = next_request(listener)
    server = request.accept()
    with api.serve(echo, "127.0.0.1", 0) as running:
        for close in (request.reject, server.close, listener.close, running.close):
            with pytest.raises(exception) as wrong:
                close(*arguments)
            assert type(wrong.value) is exception
            assert str(wrong.value) == text
        with api.connect("127.0.0.1", running.address.port):
            pass
    assert server.state is ConnectionState.CONNECTED
    connect()
    assert next_request(listener)


def test_callbacks_of_inbound_connections(api: Api) -> None:
    told: list[tuple[Connection, str, str]] = []

    def on_status_changed(event: StatusChanged[Connection]) -> None:
        told.append((event.connection, event.old.name, event.new.name))

    with api.listen("127.0.0.1", 0, on_status_changed=on_status_changed) as listener:
        with api.connect("127.0.0.1", listener.address.port, wait=False) as client:
            request = next_request(listener)
            assert told == [(request.connection, "NONE", "CONNECTING")]
            server = request.accept()
            client.send(b"hello")
            assert server.recv(timeout=5.0) == b"hello"
        with pytest.raises(ConnectionClosedOK):
            server.recv(timeout=5.0)
        server.close()
    assert told == [
        (server, "NONE", "CONNECTING"),
        (server, "CONNECTING", "CONNECTED"),
        (server, "CONNECTED", "CLOSED_BY_PEER"),
    ]


def test_callbacks_of_accepted_connections(api: Api, listener: ListenSocket) -> None:
    told: list[str] = []
    with api.listen("127.0.0.1", 0, on_status_changed=lambda event: told.append(event.new.name)) as socket_:
        client = api.connect("127.0.0.1", socket_.address.port, wait=False)
        server = socket_.accept(timeout=5.0)
        client.close()
        server.wait_closed(timeout=5.0)
        server.close()
    assert told[0] == "CONNECTING"
    assert told[-1] == "CLOSED_BY_PEER"
    assert listener.connections == []
