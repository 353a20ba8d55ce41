"""Messages that wait to be sent: signals may be dropped, everything else may not."""

from __future__ import annotations

import asyncio

from gns_py import Identity
from gns_py.p2p.signalling.outbox import MAX_NEWS, Outbox

ALICE = Identity.string("alice")


def test_the_oldest_signal_is_dropped() -> None:
    async def main() -> None:
        outbox = Outbox(2)
        for each in (b"1", b"2", b"3"):
            outbox.put_signal(ALICE, each)
        assert outbox.dropped == 1
        outbox.put(b"news")
        assert [await outbox.get() for _ in range(3)] == [b"news", b"2", b"3"]

    asyncio.run(main())


def test_the_end() -> None:
    async def main() -> None:
        for keep_signals in (False, True):
            outbox = Outbox(2)
            outbox.put_signal(ALICE, b"signal")
            outbox.put(b"news")
            outbox.close(keep_signals=keep_signals)
            outbox.put(b"too late")
            outbox.put_signal(ALICE, b"too late")
            assert outbox.is_closed
            found = [await outbox.get() for _ in range(3)]
            assert found == [b"news", b"signal" if keep_signals else None, None]

    asyncio.run(main())


def test_waiting() -> None:
    async def main() -> None:
        outbox = Outbox(2)
        getting = asyncio.ensure_future(outbox.get())
        await asyncio.sleep(0)
        outbox.put_signal(ALICE, b"signal")
        assert await getting == b"signal"
        getting = asyncio.ensure_future(outbox.get())
        await asyncio.sleep(0)
        outbox.close()
        assert await getting is None

    asyncio.run(main())


def test_signals_can_be_held_back() -> None:
    async def main() -> None:
        outbox = Outbox(2)
        outbox.hold_signals(True)
        outbox.put_signal(ALICE, b"signal")
        outbox.put(b"news")
        assert await outbox.get() == b"news"
        getting = asyncio.ensure_future(outbox.get())
        outbox.close(keep_signals=True)
        await asyncio.sleep(0)
        assert not getting.done()
        outbox.hold_signals(False)
        assert await getting == b"signal"
        assert await outbox.get() is None

    asyncio.run(main())


def test_too_much_news() -> None:
    async def main() -> None:
        outbox = Outbox(2)
        outbox.put(bytes(MAX_NEWS))
        outbox.put_signal(ALICE, b"signals do not count")
        assert not outbox.is_overfull
        outbox.put(b"1")
        assert outbox.is_overfull
        await outbox.get()
        assert not outbox.is_overfull
        outbox.forget_news()
        assert await outbox.get() == b"signals do not count"

    asyncio.run(main())
