"""Draining a server of an event loop: tasks that wait for it, and tasks that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from support.loops import Runner

from gns_py.session.asyncio import Server, Session, connect, serve


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def stay(*_: object) -> None:
    """Do not leave at once."""


def test_cancelling_ends_only_the_waiting(run: Runner) -> None:
    async def handle(session: Session) -> None:
        async for data in session:
            session.send(data)

    async def main() -> None:
        async with serve(handle, "127.0.0.1", 0) as server, connect(*server.address, on_goaway=stay) as client:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(server.drain(), 0.05)
            assert server.is_draining
            assert server.is_serving()
            client.send(b"x")
            assert await client.recv() == b"x"
            client.close()
            await server.wait_closed()

    run(main)


def test_a_handler_can_wait_for_it(run: Runner) -> None:
    """It does not wait for itself, and is not cancelled."""
    results: list[bool] = []
    servers: list[Server] = []

    async def handle(session: Session) -> None:
        if session.peer_data == b"operator":
            results.append(await servers[0].drain())
        else:
            async for data in session:
                session.send(data)

    async def main() -> None:
        async with serve(handle, "127.0.0.1", 0) as server, connect(*server.address) as client:
            servers.append(server)
            operator = await connect(*server.address, data=b"operator")
            await until(lambda: server.is_draining)
            assert results == []
            client.close()
            async for _ in operator:
                pass
            operator.close()
            await server.wait_closed()
        await until(lambda: results == [True])

    run(main)


def test_handlers_that_are_late_are_cancelled(run: Runner) -> None:
    cancelled: list[bytes] = []

    async def handle(session: Session) -> None:
        try:
            await asyncio.sleep(1000.0)
        except asyncio.CancelledError:
            cancelled.append(session.peer_data)
            raise

    async def main() -> None:
        async with serve(handle, "127.0.0.1", 0) as server, connect(*server.address, data=b"late") as client:
            await until(lambda: server.sessions)
            draining = asyncio.ensure_future(server.drain(0.05))
            async for _ in client:
                pass
            client.close()
            assert await draining is False
            assert cancelled == [b"late"]

    run(main)
