"""The listener of an event loop: a task lets clients in, and one task at a time waits for their requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support import PATIENCE
from support.loops import Runner, new_loop

import gns_py
import gns_py.session.asyncio as gns
from gns_py import ConcurrencyError
from gns_py.session.asyncio.listener import OpenSessionListener
from gns_py.session.asyncio.loop_listener import LoopListener

OPEN = OpenSessionListener("127.0.0.1", 0, None, None, None, None, None)


@asynccontextmanager
async def opened() -> AsyncIterator[LoopListener]:
    """Open a port; close it at the end, and wait for its task."""
    listener = await OPEN()
    yield listener
    listener.close()
    await asyncio.wait([listener.gate])


def test_requests_are_waited_for_one_task_at_a_time(run: Runner) -> None:
    async def main() -> None:
        async with opened() as listener:
            waiting = asyncio.ensure_future(listener.next_request())
            await asyncio.sleep(0)
            with pytest.raises(ConcurrencyError, match="same listen socket"):
                await listener.next_request()
            client = asyncio.ensure_future(connect(listener))
            request = await asyncio.wait_for(waiting, 5.0 * PATIENCE)
            assert request is not None
            assert request.data == b"hello"
            listener.check_reader()  # the turn was given back
            server = request.accept()
            await server.wait_established()
            (await client).abort()
            server.abort()

    run(main)


async def connect(listener: LoopListener) -> gns.Session:
    return await gns.connect(*listener.listener.address, data=b"hello")


def test_a_cancelled_wait_gives_the_turn_back(run: Runner) -> None:
    async def main() -> None:
        async with opened() as listener:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(listener.next_request(), 0.01)
            listener.check_reader()

    run(main)


@pytest.mark.parametrize("ends", ["closed", "stopped"])
def test_waiting_ends_with_the_port(run: Runner, ends: str) -> None:
    async def main() -> None:
        async with opened() as listener:
            waiting = asyncio.ensure_future(listener.next_request())
            await asyncio.sleep(0)
            if ends == "closed":
                listener.close()
            else:
                gns_py.stop(linger=0)
            assert await asyncio.wait_for(waiting, 5.0 * PATIENCE) is None
            assert await listener.next_request() is None

    run(main)


def test_it_is_read_in_its_own_loop_only(run: Runner) -> None:
    async def main() -> None:
        async with opened() as listener:
            with pytest.raises(RuntimeError, match="the listen socket belongs to"):
                await asyncio.to_thread(asyncio.run, listener.next_request())

    run(main)


def test_it_is_closed_after_its_loop(caplog: pytest.LogCaptureFixture) -> None:
    loop = new_loop("asyncio")
    listener = loop.run_until_complete(OPEN())
    loop.close()
    listener.close()
    assert listener.listener.is_closed
    del listener
    assert caplog.records == []
