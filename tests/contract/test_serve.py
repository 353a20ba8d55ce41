"""serve() and Server."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest
from support import Api, echo, eventually

import gns_py
from gns_py import ConnectFailed, ConnectionClosed, ConnectionClosedError, EndReason, StatusChanged
from gns_py.sync import Connection

# ---- serve() ---------------------------------------------------------------------------------------------------------


def test_serve_runs_the_handlers_of_all_connections_at_once(api: Api) -> None:
    together = threading.Barrier(3)

    def handler(connection: Connection) -> None:
        together.wait(timeout=5.0)
        echo(connection)

    with api.serve(handler, "127.0.0.1", 0) as server:
        clients = [api.connect(*server.address) for _ in range(3)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
        assert [client.recv(timeout=5.0) for client in clients] == [b"0", b"1", b"2"]
        assert len(server.connections) == 3
        assert server.broadcast(b"to all") == []
        assert [client.recv(timeout=5.0) for client in clients] == [b"to all"] * 3
        for client in clients:
            client.close()


def test_serve_closes_with_1000_what_its_handler_has_returned_from(api: Api) -> None:
    def handler(connection: Connection) -> None:
        connection.send(b"that is all")

    with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        assert list(client) == [b"that is all"]
        assert client.end is not None
        assert client.end.code == EndReason.APP_GENERIC
        eventually(lambda: server.connections == [])


def test_a_handler_that_fails_is_logged_once_its_connection_closed_with_2001_and_others_go_on(
    api: Api,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def handler(connection: Connection) -> None:
        for data in connection:
            if data == b"fail":
                raise KeyError("on purpose")
            connection.send(data)

    with api.serve(handler, "127.0.0.1", 0) as server:
        with api.connect(*server.address) as failing, api.connect(*server.address) as going_on:
            failing.send(b"fail")
            with pytest.raises(ConnectionClosedError) as closed:
                failing.recv(timeout=5.0)
            assert (closed.value.code, closed.value.text) == (EndReason.INTERNAL_ERROR, "an exception was raised")
            going_on.send(b"still there?")
            assert going_on.recv(timeout=5.0) == b"still there?"
        with api.connect(*server.address) as new:
            new.send(b"and new ones?")
            assert new.recv(timeout=5.0) == b"and new ones?"
    failures = [record for record in caplog.records if record.name == "gns_py" and record.levelno >= logging.ERROR]
    assert len(failures) == 1
    assert failures[0].getMessage().startswith(f"the handler of <{api.__name__}.connection.Connection 127.0.0.1:")
    assert failures[0].exc_info is not None
    assert isinstance(failures[0].exc_info[1], KeyError)


@pytest.mark.parametrize("own", [True, False])
def test_a_handler_may_end_by_the_end_of_its_own_connection_but_not_of_another(
    api: Api, caplog: pytest.LogCaptureFixture, own: bool
) -> None:
    other = api.socket_pair()
    other[1].close(2100, "of another connection")

    def handler(connection: Connection) -> None:
        (connection if own else other[0]).recv(timeout=5.0)

    with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        if own:
            client.close(2200, "a fault, but the client's")
        else:
            assert client.wait_closed(timeout=5.0).code == EndReason.INTERNAL_ERROR
    other[0].close()
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == (0 if own else 1)


def test_closing_a_server_ends_its_handlers_and_waits_for_them(api: Api) -> None:
    ended: list[ConnectionClosed] = []

    def handler(connection: Connection) -> None:
        connection.send(b"ready")
        try:
            connection.recv()
        except ConnectionClosed as error:
            time.sleep(0.3)
            ended.append(error)
            raise

    server = api.serve(handler, "127.0.0.1", 0)
    with api.connect(*server.address) as one, api.connect(*server.address) as other:
        assert (one.recv(timeout=5.0), other.recv(timeout=5.0)) == (b"ready", b"ready")
        server.close(1800, "closing time")
        with pytest.raises(TimeoutError):
            server.wait_closed(timeout=0.1)
        server.wait_closed(timeout=5.0)
        assert [str(error) for error in ended] == ["closed by this end, 1800 APP_1800: closing time"] * 2
        assert one.wait_closed(timeout=5.0).text == "closing time"
    server.close()
    server.wait_closed()


def test_wait_closed_waits_for_handlers_that_began_after_it(api: Api) -> None:
    finished = threading.Event()

    def handler(connection: Connection) -> None:
        connection.wait_closed()
        time.sleep(0.3)
        finished.set()

    server = api.serve(handler, "127.0.0.1", 0)
    seen: list[bool] = []

    def wait() -> None:
        server.wait_closed()
        seen.append(finished.is_set())

    waiter = threading.Thread(target=wait)
    waiter.start()
    time.sleep(0.05)
    with api.connect(*server.address):
        eventually(lambda: server.connections)
        server.close()
        waiter.join(timeout=5.0)
    assert seen == [True]


def test_serve_forever_ends_when_the_server_is_closed(api: Api) -> None:
    server = api.serve(echo, "127.0.0.1", 0)
    timer = threading.Timer(0.1, server.close)
    timer.start()
    server.serve_forever()
    timer.join()
    with api.listen(*server.address):
        pass


def test_a_handler_may_close_its_server(api: Api) -> None:
    server = api.serve(lambda connection: server.close(1900, connection.recv().decode()), "127.0.0.1", 0)
    with api.connect(*server.address) as client:
        client.send(b"go home")
        assert client.wait_closed(timeout=5.0).text == "go home"
    server.wait_closed(timeout=5.0)


def test_clients_that_give_up_do_not_stop_a_server(api: Api) -> None:
    with api.serve(echo, "127.0.0.1", 0) as server:
        for _ in range(20):
            api.connect(*server.address, wait=False).close()
        with api.connect(*server.address) as client:
            client.send(b"still serving?")
            assert client.recv(timeout=5.0) == b"still serving?"


def test_a_handler_must_be_callable(api: Api) -> None:
    wrong: Any = "echo"
    with pytest.raises(TypeError, match=r"^handler must be callable, not str$"):
        api.serve(wrong, "127.0.0.1", 0)


def test_callbacks_of_served_connections(api: Api) -> None:
    told: list[str] = []
    done = threading.Event()

    def on_status_changed(event: StatusChanged[Connection]) -> None:
        told.append(event.new.name)
        if event.end:
            done.set()

    with api.serve(echo, "127.0.0.1", 0, on_status_changed=on_status_changed) as server:
        with api.connect(*server.address):
            pass
        assert done.wait(timeout=5.0)
    assert told == ["CONNECTING", "CONNECTED", "CLOSED_BY_PEER"]


def test_a_stopped_runtime_ends_a_server(api: Api) -> None:
    server = api.serve(echo, "127.0.0.1", 0)
    client = api.connect(*server.address)
    gns_py.stop(linger=0)
    server.wait_closed(timeout=5.0)
    server.close()
    assert client.wait_closed(timeout=1.0).code == EndReason.SHUTDOWN
    client.close()


# ---- draining a server -----------------------------------------------------------------------------------------------


def test_drain_lets_the_handlers_finish_and_sends_newcomers_away(api: Api) -> None:
    with api.serve(echo, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        client.send(b"in?")
        assert client.recv(timeout=5.0) == b"in?"
        assert server.is_serving()
        drained: list[bool] = []
        thread = threading.Thread(target=lambda: drained.append(server.drain(timeout=10.0)))
        thread.start()
        eventually(lambda: "draining" in repr(server))
        with pytest.raises(ConnectFailed, match=r"^closed by the peer, 1001 GOING_AWAY: the server is closing$"):
            api.connect(*server.address)
        assert server.is_serving()
        client.send(b"still?")
        assert client.recv(timeout=5.0) == b"still?"
        client.close()
        thread.join(timeout=5.0)
        assert drained == [True]
        assert not server.is_serving()


def test_drain_closes_what_has_not_finished_in_time(api: Api) -> None:
    ended: list[ConnectionClosed] = []

    def handler(connection: Connection) -> None:
        connection.send(b"ready")
        try:
            connection.recv()
        except ConnectionClosed as error:
            ended.append(error)
            raise

    with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        assert client.recv(timeout=5.0) == b"ready"
        assert server.drain(timeout=0.1) is False
        assert not server.is_serving()
        assert client.wait_closed(timeout=5.0).code == EndReason.GOING_AWAY
        eventually(lambda: [error.code for error in ended] == [EndReason.GOING_AWAY])


def test_drain_of_a_server_without_connections_is_a_close(api: Api) -> None:
    server = api.serve(echo, "127.0.0.1", 0)
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError, match=r"^timeout is (-1|nan): it must not be negative$"):
            server.drain(timeout=wrong)
    assert server.is_serving()
    assert server.drain() is True
    assert server.drain(timeout=0) is True
    assert "closed" in repr(server)
    with api.listen(*server.address):
        pass
