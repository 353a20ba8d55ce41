"""serve() where asyncio differs: cancelled tasks, and a slow client next to a quick one in the same loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from support.platforms import RATE

import gns_py.asyncio as gns
from gns_py import Config, ConnectionState

if TYPE_CHECKING:
    from support.loops import Runner

FAST = Config(send_rate_min=RATE, send_rate_max=RATE)


async def echo(connection: gns.Connection) -> None:
    async for data in connection:
        connection.send(data)


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(5000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not come true")


def test_serve_forever_ends_with_close_and_with_cancellation(run: Runner) -> None:
    async def main() -> None:
        server = await gns.serve(echo, "127.0.0.1", 0)
        forever = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        server.close()
        await forever
        server = await gns.serve(echo, "127.0.0.1", 0)
        client = await gns.connect(*server.address)
        forever = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0.01)
        forever.cancel()
        with pytest.raises(asyncio.CancelledError):
            await forever
        assert not server.is_serving()
        assert (await client.wait_closed()).code == 1001
        client.close()

    run(main)


def test_drain_has_a_deadline(run: Runner) -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        async def handler(_: gns.Connection) -> None:
            try:
                await asyncio.sleep(60.0)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        server = await gns.serve(handler, "127.0.0.1", 0)
        client = await gns.connect(*server.address)
        await eventually(lambda: client.state is ConnectionState.CONNECTED)
        assert await server.drain(0.05) is False
        assert cancelled.is_set()
        assert (await client.wait_closed()).code == 1001
        client.close()

    run(main)


def test_a_slow_client_neither_slows_the_others_nor_grows_the_server(run: Runner) -> None:
    """The server drains each connection by itself: a client that does not acknowledge fills only its own queue."""

    async def main() -> None:
        small = FAST | Config(send_buffer_size=200_000)
        largest = 0
        rounds = {b"slow": 0, b"quick": 0}

        async def handler(connection: gns.Connection) -> None:
            nonlocal largest
            name = await connection.recv()
            if name == b"slow":  # as if its network had next to no bandwidth
                connection.set_config(Config(send_rate_min=20_000, send_rate_max=20_000))
            for number in range(200):
                connection.send(b"%06d" % number + b"x" * 9_994)
                largest = max(largest, connection.send_queue().bytes)
                await connection.drain()
                rounds[name] += 1

        async with gns.serve(handler, "127.0.0.1", 0, config=small) as server:
            slow = await gns.connect(*server.address)
            slow.send(b"slow")
            async with gns.connect(*server.address) as quick:
                quick.send(b"quick")
                received = [int(data[:6]) async for data in quick]
            assert received == list(range(200))
            assert rounds[b"slow"] < 40  # 20,000 bytes a second, and what waits in the queue
            assert largest <= 200_000
            slow.close()

    run(main)
