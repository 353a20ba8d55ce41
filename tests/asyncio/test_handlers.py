"""Handlers in tasks: a server of clients that need no network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING

import pytest
from support import PATIENCE

from gns_py.asyncio.handlers import TaskServer
from gns_py.asyncio.waiters import Home

if TYPE_CHECKING:
    from support.loops import Runner

TIMEOUT = 10.0 * PATIENCE


class Client:
    """A client whose own end is a ConnectionError."""

    def __init__(self) -> None:
        self.is_served = asyncio.Event()
        self.is_closed = asyncio.Event()

    def is_own_end(self, error: BaseException) -> bool:
        return isinstance(error, ConnectionError)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.is_closed.set()


class Server(TaskServer[Client]):
    """A server whose clients arrive through connect()."""

    def __init__(self, handler: Callable[[Client], Awaitable[object]]) -> None:
        super().__init__(handler, Home(asyncio.get_running_loop()))
        self.is_draining = False
        self._arrivals: asyncio.Queue[Client | Exception | None] = asyncio.Queue()
        self._acceptors.append(asyncio.create_task(self._accept()))

    def connect(self) -> Client:
        client = Client()
        self._arrivals.put_nowait(client)
        return client

    def fail(self, error: Exception) -> None:
        self._arrivals.put_nowait(error)

    def close(self) -> None:
        self._arrivals.put_nowait(None)

    def _turn_newcomers_away(self) -> None:
        self.is_draining = True

    async def _accept(self) -> None:
        while (arrival := await self._arrivals.get()) is not None:
            if isinstance(arrival, Exception):
                raise arrival
            self._start_handler(arrival, arrival)


async def stay(client: Client) -> None:
    """Wait until this task is cancelled."""
    client.is_served.set()
    await asyncio.Event().wait()


def test_each_client_has_a_handler_and_is_closed_after_it(run: Runner) -> None:
    async def main() -> None:
        go_on = asyncio.Event()
        served: list[Client] = []

        async def handler(client: Client) -> None:
            served.append(client)
            await go_on.wait()

        async with Server(handler) as server:
            clients = [server.connect() for _ in range(3)]
            while len(served) < 3:
                await asyncio.sleep(0)
            assert not any(client.is_closed.is_set() for client in clients)
            go_on.set()
        assert served == clients
        assert all(client.is_closed.is_set() for client in clients)

    run(main)


def test_a_handlers_exception_is_logged_unless_it_is_the_clients_end(
    run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        errors = iter([ConnectionError("its end"), ValueError("a bug")])

        async def handler(_: Client) -> None:
            raise next(errors)

        async with Server(handler) as server:
            for _ in range(2):
                await asyncio.wait_for(server.connect().is_closed.wait(), TIMEOUT)

    run(main)
    assert [record.exc_info and str(record.exc_info[1]) for record in caplog.records] == ["a bug"]


def test_drain_cancels_those_that_are_late(run: Runner) -> None:
    async def main() -> None:
        server = Server(stay)
        client = server.connect()
        await asyncio.wait_for(client.is_served.wait(), TIMEOUT)
        assert await server.drain(0.0) is False
        assert server.is_draining
        assert client.is_closed.is_set()
        assert await Server(stay).drain() is True
        with pytest.raises(ValueError, match="must not be negative"):
            await server.drain(-1.0)

    run(main)


def test_serve_forever_reports_a_server_that_ended_by_itself(run: Runner) -> None:
    async def main() -> None:
        server = Server(stay)
        failure = OSError("as planned")
        server.fail(failure)
        with pytest.raises(RuntimeError, match="the server ended by itself") as ended:
            await asyncio.wait_for(server.serve_forever(), TIMEOUT)
        assert ended.value.__cause__ is failure

    run(main)


def test_a_handler_can_wait_for_the_others(run: Runner) -> None:
    async def main() -> None:
        async def handler(_: Client) -> None:
            server.close()
            await server.wait_closed()

        server = Server(handler)
        client = server.connect()
        await asyncio.wait_for(server.serve_forever(), TIMEOUT)
        assert client.is_closed.is_set()

    run(main)
