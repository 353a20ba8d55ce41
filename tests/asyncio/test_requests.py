"""Requests that wait for one task of a loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from support import PATIENCE

import gns_py
import gns_py.asyncio as gns
from gns_py._core.listener import Listener
from gns_py.asyncio.listener import OpenListener
from gns_py.asyncio.requests import LoopRequests
from gns_py.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from support.loops import Runner

TIMEOUT = 10.0 * PATIENCE
Opened = tuple[Listener[gns.Connection], LoopRequests]


@asynccontextmanager
async def opened() -> AsyncIterator[Opened]:
    """Open a port, and close it at the end."""
    listener, requests = await OpenListener("127.0.0.1", 0, None, DEFAULT_LIMITS, None)()
    try:
        yield listener, requests
    finally:
        listener.close(1001, "", linger=False)


def next_of(requests: LoopRequests) -> Awaitable[Any]:
    return asyncio.wait_for(anext(requests), TIMEOUT)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until a condition is true."""

    async def look() -> None:
        while not condition():
            await asyncio.sleep(0.002)

    await asyncio.wait_for(look(), TIMEOUT)


async def connect(listener: Listener[gns.Connection]) -> gns.Connection:
    return await gns.connect(*listener.address)


def test_requests_wait_in_order(run: Runner) -> None:
    async def main() -> None:
        async with opened() as (listener, requests):
            clients = [asyncio.create_task(connect(listener))]
            await until(lambda: len(listener.connections) == 1)
            clients.append(asyncio.create_task(connect(listener)))
            await until(lambda: len(listener.connections) == 2)
            expected = listener.connections
            for connection in expected:
                request = await next_of(requests)
                assert request.connection is connection
                request.accept()
            for client in clients:
                (await client).close()

    run(main)


def test_a_client_that_gives_up_is_withdrawn(run: Runner) -> None:
    async def main() -> None:
        async with opened() as (listener, requests):
            gives_up = asyncio.create_task(connect(listener))
            await until(lambda: listener.connections)
            gives_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gives_up
            await until(lambda: not listener.connections)
            stays = asyncio.create_task(connect(listener))
            request = await next_of(requests)
            assert listener.connections == [request.accept()]
            (await stays).close()

    run(main)


def test_one_task_reads_until_the_port_is_closed(run: Runner) -> None:
    async def main() -> None:
        async with opened() as (listener, requests):
            reader = asyncio.create_task(anext(requests))
            await asyncio.sleep(0)
            with pytest.raises(gns_py.ConcurrencyError, match="two tasks read the same listen socket at once"):
                await anext(requests)
            listener.close(1001, "")
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(reader, TIMEOUT)
            assert [each async for each in requests] == []

    run(main)


def test_a_stop_of_the_runtime_ends_the_wait(run: Runner) -> None:
    async def main() -> None:
        async with opened() as (_, requests):
            reader = asyncio.ensure_future(next_of(requests))
            await asyncio.sleep(0)
            await asyncio.get_running_loop().run_in_executor(None, gns_py.stop)
            with pytest.raises(gns_py.NotRunningError, match="the runtime was stopped"):
                await reader
            with pytest.raises(gns_py.NotRunningError, match="the runtime was stopped"):
                await next_of(requests)

    run(main)
