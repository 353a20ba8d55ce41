"""Handlers in threads: a server of clients that need no network."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType

import pytest
from support import PATIENCE, eventually

from gns_py import NotRunningError
from gns_py.sync.handlers import ThreadServer

TIMEOUT = 10.0 * PATIENCE


class Client:
    """A client whose own end is a ConnectionError."""

    def __init__(self) -> None:
        self.is_served = threading.Event()
        self.may_leave = threading.Event()
        self.is_closed = threading.Event()

    def is_own_end(self, error: BaseException) -> bool:
        return isinstance(error, ConnectionError)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.is_closed.set()


class Server(ThreadServer[Client]):
    """A server whose clients arrive through connect(), and leave when it is closed."""

    def __init__(self, handler: Callable[[Client], None]) -> None:
        super().__init__(handler, "acceptor")
        self.is_draining = self.is_finished = self.has_cleaned_up = False
        self.clients: list[Client] = []
        self._arrivals: queue.SimpleQueue[Client | BaseException | None] = queue.SimpleQueue()
        self._acceptor.start()

    def connect(self) -> Client:
        self.clients.append(Client())
        self._arrivals.put(self.clients[-1])
        return self.clients[-1]

    def fail(self, error: BaseException) -> None:
        self._arrivals.put(error)

    def is_serving(self) -> bool:
        return not self.is_finished and self._acceptor.is_alive()

    def close(self) -> None:
        self.is_finished = True
        for client in self.clients:
            client.may_leave.set()
        self._arrivals.put(None)

    def _turn_newcomers_away(self) -> None:
        self.is_draining = True

    def _has_clients(self) -> bool:
        return not all(client.is_closed.is_set() for client in self.clients)

    def _is_finished(self) -> bool:
        return self.is_finished

    def _accept_some(self) -> None:
        arrival = self._arrivals.get()
        if isinstance(arrival, BaseException):
            raise arrival
        if arrival is not None:
            self._start_handler(arrival, arrival, "client")

    def _on_finished(self) -> None:
        self.has_cleaned_up = True


def stay(client: Client) -> None:
    client.is_served.set()
    assert client.may_leave.wait(TIMEOUT)


def test_each_client_has_a_thread_and_is_closed_after_it() -> None:
    threads: set[str] = set()

    def handler(client: Client) -> None:
        threads.add(threading.current_thread().name)
        stay(client)

    with Server(handler) as server:
        clients = [server.connect() for _ in range(3)]
        assert all(client.is_served.wait(TIMEOUT) for client in clients)
        assert not any(client.is_closed.is_set() for client in clients)
        with pytest.raises(TimeoutError, match=r"the handlers did not end within 0\.0 s"):
            server.wait_closed(0.0)
    assert all(client.is_closed.is_set() for client in clients)
    assert server.has_cleaned_up
    assert threads == {"gns_py handler client"}


def test_a_handlers_exception_is_logged_unless_it_is_the_clients_end(caplog: pytest.LogCaptureFixture) -> None:
    errors = iter([ConnectionError("its end"), ValueError("a bug")])

    def handler(_: Client) -> None:
        raise next(errors)

    with Server(handler) as server:
        for _ in range(2):
            assert server.connect().is_closed.wait(TIMEOUT)
    assert [record.exc_info and str(record.exc_info[1]) for record in caplog.records] == ["a bug"]


def test_drain_waits_until_its_time_is_over() -> None:
    with Server(stay) as server:
        client = server.connect()
        assert client.is_served.wait(TIMEOUT)
        assert server.drain(0.0) is False
        assert server.is_draining
        server.wait_closed(TIMEOUT)
        assert client.is_closed.is_set()
    with Server(stay) as server:
        server.connect().may_leave.set()
        assert server.drain(TIMEOUT) is True
        with pytest.raises(ValueError, match="must not be negative"):
            server.drain(-1.0)


def test_an_exception_while_accepting_does_not_end_the_server(caplog: pytest.LogCaptureFixture) -> None:
    with Server(stay) as server:
        server.fail(SystemExit("as planned"))
        assert server.connect().is_served.wait(TIMEOUT)
        assert server.is_serving()
    assert ["goes on after an exception" in record.getMessage() for record in caplog.records] == [True]


def test_a_stop_of_the_runtime_ends_the_server(caplog: pytest.LogCaptureFixture) -> None:
    with Server(stay) as server:
        server.fail(NotRunningError("as planned"))
        server.serve_forever()
        assert not server.is_serving()
        eventually(lambda: server.has_cleaned_up)
    assert caplog.records == []
