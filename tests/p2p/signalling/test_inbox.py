"""Items that have arrived: the oldest ones are dropped, and the iteration ends once."""

from __future__ import annotations

import asyncio

import pytest

from gns_py import ConcurrencyError
from gns_py.p2p.signalling.inbox import Inbox


def test_the_oldest_item_is_dropped() -> None:
    async def main() -> None:
        inbox = Inbox[int](2)
        for number in range(3):
            inbox.put(number)
        assert [await inbox.get() for _ in range(2)] == [1, 2]

    asyncio.run(main())


def test_the_end_comes_after_what_waits() -> None:
    async def main() -> None:
        inbox = Inbox[int](2)
        inbox.put(1)
        inbox.end(OSError("the end"))
        inbox.end()
        inbox.put(2)
        assert inbox.has_ended
        assert await inbox.get() == 1
        for _ in range(2):
            with pytest.raises(OSError, match="the end"):
                await inbox.get()

    asyncio.run(main())


def test_one_waits_at_a_time() -> None:
    async def main() -> None:
        inbox = Inbox[int](2)
        getting = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        with pytest.raises(ConcurrencyError):
            await inbox.get()
        getting.cancel()
        await asyncio.wait({getting})
        getting = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        inbox.put(1)
        inbox.put(2)
        assert await getting == 1
        getting = asyncio.ensure_future(inbox.get())
        assert await getting == 2

    asyncio.run(main())


def test_an_item_survives_a_wait_that_is_cancelled() -> None:
    async def main() -> None:
        inbox = Inbox[int](2)
        getting = asyncio.ensure_future(inbox.get())
        await asyncio.sleep(0)
        inbox.put(1)
        getting.cancel()
        await asyncio.wait({getting})
        assert getting.cancelled()
        assert await inbox.get() == 1

    asyncio.run(main())
