"""A time limit: what it returns, and what it cancels."""

from __future__ import annotations

import asyncio

import pytest

from gns_py.p2p.signalling.within import within


async def result(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "result"


def test_in_time() -> None:
    assert asyncio.run(within(5.0, result(0.0))) == "result"


def test_an_exception() -> None:
    async def fail() -> None:
        raise OSError("failed")

    with pytest.raises(OSError, match="failed"):
        asyncio.run(within(5.0, fail()))


def test_too_late() -> None:
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    with pytest.raises(TimeoutError, match=r"not within 0.01 s"):
        asyncio.run(within(0.01, slow()))
    assert ended


def test_a_cancellation_is_never_swallowed() -> None:
    async def main() -> None:
        for turns in range(1, 6):
            task = asyncio.ensure_future(within(5.0, result(0.0)))
            for _ in range(turns):
                await asyncio.sleep(0)
            if task.done():
                continue
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
