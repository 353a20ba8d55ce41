"""Cancellation and time limits lose nothing and leave nothing behind."""

from __future__ import annotations

import asyncio
import random
import sys

import pytest
from support import PATIENCE
from support.leftovers import leftovers
from support.loops import Runner

import gns_py.asyncio as gns
from gns_py import Address, ConcurrencyError, sync
from gns_py.asyncio.mailbox import attached_mailbox


def test_recv_that_is_cancelled_at_any_moment_loses_no_message(run: Runner) -> None:
    async def main() -> None:
        a, b = gns.socket_pair(network=True)
        random.seed(4)
        received: list[int] = []
        count = 200
        # Longer than a wait's own timeout, whatever the tick of the clock.
        pause = 0.1 if sys.platform == "win32" else 0.006 * PATIENCE

        async def send() -> None:
            for number in range(count):
                a.send(b"%d" % number, nagle=False)
                await asyncio.sleep(random.uniform(0, pause))

        sender = asyncio.create_task(send())
        cancelled = 0
        while len(received) < count:
            receiver = asyncio.create_task(b.recv())
            await asyncio.sleep(random.uniform(0, 0.002))
            receiver.cancel()
            try:
                received.append(int(await receiver))
            except asyncio.CancelledError:
                cancelled += 1
        await sender
        assert received == list(range(count))
        assert cancelled > 10
        a.close()
        b.close()

    run(main)


def test_a_time_limit_is_the_builtin_timeout_error(run: Runner) -> None:
    async def main() -> None:
        a, b = gns.socket_pair()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(b.recv(), 0.01)
        a.send(b"after")
        assert await asyncio.wait_for(b.recv(), 5.0) == b"after"
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(b.wait_closed(), 0.01)
        a.close()
        b.close()

    run(main)


def test_every_call_that_waits_can_be_cancelled_and_called_again(run: Runner) -> None:
    async def main() -> None:
        async with gns.listen("127.0.0.1", 0) as socket:
            accepting = asyncio.create_task(socket.accept())
            await asyncio.sleep(0)
            accepting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await accepting
            client, server = await asyncio.gather(gns.connect(*socket.address), socket.accept())
            client.send(b"x" * 200_000)  # takes a second
            client.send(b"y" * 200_000)
            for waiting in (client.recv, client.recv_message, client.recv_many, client.drain, client.wait_closed):
                task = asyncio.create_task(waiting())
                await asyncio.sleep(0.01)
                assert not task.done(), waiting
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await client.drain()
            assert len(await server.recv()) == 200_000
            server.close()
            assert (await client.wait_closed()).code == 1000
            client.close()

    run(main)


def test_connect_that_is_cancelled_closes_its_attempt(run: Runner) -> None:
    async def main() -> None:
        async with gns.listen("127.0.0.1", 0) as socket:
            connecting = asyncio.create_task(connect(socket.address))
            request = await socket.__anext__()
            connecting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await connecting
            await request.connection.wait_closed()
            request.reject()
            assert len(leftovers()) == 2  # the listen socket and the loop's mailbox

    async def connect(address: Address) -> gns.Connection:
        return await gns.connect(*address)

    run(main)


def test_a_block_that_is_cancelled_closes_its_connection_as_going_away(run: Runner) -> None:
    async def main() -> None:
        async with gns.listen("127.0.0.1", 0) as socket:
            entered = asyncio.Event()

            async def client() -> None:
                async with gns.connect(*socket.address) as connection:
                    entered.set()
                    await connection.recv()

            task = asyncio.create_task(client())
            server = await socket.accept()
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await server.wait_closed()).code == 1001
            server.close()

    run(main)


def test_two_tasks_that_receive_at_once_are_told(run: Runner) -> None:
    async def main() -> None:
        a, b = gns.socket_pair()
        first = asyncio.create_task(b.recv())
        await asyncio.sleep(0)
        for second in (b.recv, b.recv_message, b.recv_many, b.__anext__):
            with pytest.raises(ConcurrencyError, match="two tasks receive from the same connection"):
                await second()
        a.send(b"for the first one")
        assert await first == b"for the first one"
        async with gns.listen("127.0.0.1", 0) as socket:
            first_accept = asyncio.create_task(socket.accept())
            await asyncio.sleep(0)
            with pytest.raises(ConcurrencyError, match="two tasks read the same listen socket"):
                await socket.accept()
            first_accept.cancel()
            await asyncio.gather(first_accept, return_exceptions=True)
        a.close()
        b.close()

    run(main)


def test_a_mailbox_leaves_the_loop_with_its_last_connection(run: Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        a, b = gns.socket_pair()
        assert attached_mailbox(loop) is not None
        a.close()
        b.close()
        assert attached_mailbox(loop) is None
        with sync.listen("127.0.0.1", 0) as other, pytest.raises(OSError, match="cannot listen"):
            await gns.listen(*other.address)
        assert attached_mailbox(loop) is None
        with pytest.raises(ValueError, match="port 0"):
            await gns.connect("127.0.0.1", 0)

    run(main)
