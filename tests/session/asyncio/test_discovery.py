"""Functions that give addresses to clients of an event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest
from support import echo

from gns_py.session._core.addresses import Source
from gns_py.session.asyncio import connect
from gns_py.session.asyncio.discovery import LoopInquiry
from gns_py.session.sync import serve

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")


def inquiry(function: Any) -> LoopInquiry:
    return LoopInquiry(Source(function, None, may_await=True))


def test_a_coroutine_function_runs_in_the_loop_and_a_plain_one_does_not() -> None:
    threads: list[int] = []

    def plain() -> list[str]:
        threads.append(threading.get_ident())
        return ["a:1"]

    async def coroutine() -> list[str]:
        await asyncio.sleep(0)
        return plain()

    async def main() -> None:
        for function in (plain, coroutine, lambda: coroutine()):
            assert await inquiry(function).addresses(5.0) == (("a", 1),)

    asyncio.run(main())
    assert threads[0] != threading.get_ident()
    assert threads[1:] == [threading.get_ident()] * 2


def test_it_runs_in_the_context_of_connect() -> None:
    async def main() -> None:
        variable.set("mine")
        seen: list[str] = []

        def find() -> list[str]:
            seen.append(variable.get())
            return ["a:1"]

        await inquiry(find).addresses(5.0)
        assert seen == ["mine"]

    asyncio.run(main())


@pytest.mark.parametrize("error", [LookupError("as planned"), StopIteration()])
def test_its_exception_is_raised_at_first_and_logged_later(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise error

    async def main() -> None:
        asked = inquiry(fail)
        with pytest.raises((LookupError, RuntimeError)):
            await asked.addresses(5.0)
        asked.source.known = (("a", 1),)
        await asked.refresh()
        await asked.refresh()
        assert asked.source.known == (("a", 1),)

    asyncio.run(main())
    assert len([each for each in caplog.records if each.name == "gns_py"]) == 1


@pytest.mark.parametrize("is_coroutine", [True, False])
def test_one_that_hangs_is_given_up(is_coroutine: bool) -> None:
    may_go = threading.Event()

    async def hang() -> None:
        await asyncio.sleep(60.0)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await inquiry(hang if is_coroutine else lambda: may_go.wait(10.0)).addresses(0.05)

    try:
        asyncio.run(main())
    finally:
        may_go.set()


def test_cancelling_connect_does_not_wait_for_it() -> None:
    may_go = threading.Event()

    async def main() -> None:
        connecting = asyncio.ensure_future(_await(connect(lambda: may_go.wait(10.0))))  # type: ignore[arg-type, return-value]
        await asyncio.sleep(0.05)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting

    try:
        asyncio.run(main())
    finally:
        may_go.set()


async def _await(opening: connect) -> None:
    await opening


def test_a_coroutine_function_for_connect() -> None:
    async def main() -> None:
        async def find() -> list[tuple[str, int]]:
            return [server.address]

        async with connect(find) as session:
            session.send(b"hello")
            assert await session.recv() == b"hello"

    with serve(echo, "127.0.0.1", 0) as server:
        asyncio.run(main())
