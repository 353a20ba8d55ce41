"""Objects that are awaited or entered."""

from __future__ import annotations

import asyncio
import copy
from types import TracebackType
from typing import TYPE_CHECKING

import pytest

from gns_py.asyncio.awaitable import AwaitableContext, Optionally

if TYPE_CHECKING:
    from support.loops import Runner


class Door:
    """Something that is opened and closed."""

    def __init__(self) -> None:
        self.closed_by: list[type[BaseException] | None] = []

    async def __aenter__(self) -> Door:
        raise AssertionError("it is open already")

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closed_by.append(kind)


class Opening(AwaitableContext[Door]):
    """Opens another door each time."""

    async def _open(self) -> Door:
        await asyncio.sleep(0)
        return Door()


def test_awaiting_only_opens(run: Runner) -> None:
    async def main() -> None:
        opening = Opening()
        first, second = await opening, await opening
        assert first is not second
        assert first.closed_by == second.closed_by == []

    run(main)


def test_a_block_closes_what_it_opened(run: Runner) -> None:
    async def main() -> None:
        async with Opening() as door:
            assert door.closed_by == []
        assert door.closed_by == [None]
        with pytest.raises(ZeroDivisionError):
            async with Opening() as door:
                raise ZeroDivisionError
        assert door.closed_by == [ZeroDivisionError]

    run(main)


def test_it_is_not_copied() -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        copy.copy(Opening())


def test_awaiting_is_optional(run: Runner) -> None:
    async def main() -> None:
        waits = 0

        async def wait() -> int:
            nonlocal waits
            await asyncio.sleep(0)
            waits += 1
            return waits

        optional = Optionally(wait)
        assert waits == 0
        assert await optional == 1
        assert await optional == 2

    run(main)
