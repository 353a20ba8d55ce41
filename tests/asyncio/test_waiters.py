"""Tasks that wait, and the loop that they belong to."""

from __future__ import annotations

import asyncio
import gc
import re
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from support import counts_references

from gns_py.asyncio.waiters import Home, Waiters, forget

if TYPE_CHECKING:
    from support.loops import Runner


class Keeper:
    """A keeper that holds its things."""

    def __init__(self) -> None:
        self.things: set[object] = set()
        self.kept = weakref.ref(self.things)


async def begin(waiters: Waiters, count: int) -> list[asyncio.Task[None]]:
    """Start tasks, and return them once they wait."""
    tasks = [asyncio.create_task(waiters.wait()) for _ in range(count)]
    while len(waiters) < count:
        await asyncio.sleep(0)
    return tasks


def test_wake_ends_all_waits(run: Runner) -> None:
    async def main() -> None:
        keeper = Keeper()
        waiters = Waiters(Home(asyncio.get_running_loop()), "thing", keeper)
        tasks = await begin(waiters, 3)
        assert keeper.things == waiters
        waiters.wake()
        waiters.wake()
        await asyncio.wait_for(asyncio.gather(*tasks), 5.0)
        assert not waiters
        assert not keeper.things

    run(main)


def test_a_cancelled_wait_leaves_nothing(run: Runner) -> None:
    async def main() -> None:
        keeper = Keeper()
        waiters = Waiters(Home(asyncio.get_running_loop()), "thing", keeper)
        first, second = await begin(waiters, 2)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert len(waiters) == len(keeper.things) == 1
        waiters.wake()
        await second

    run(main)


def test_another_loop_is_refused_and_both_are_named(run: Runner) -> None:
    other = asyncio.new_event_loop()
    home = Home(other)

    async def main() -> None:
        here = Home(asyncio.get_running_loop())
        here.check("thing")
        here.check_is(Home(asyncio.get_running_loop()), "thing")
        text = re.escape(f"the thing belongs to {home}, and cannot be used in {here}")
        with pytest.raises(RuntimeError, match=text):
            await Waiters(home, "thing").wait()
        with pytest.raises(RuntimeError, match=text):
            home.check_is(here, "thing")

    run(main)
    other.close()


@counts_references
def test_a_home_is_open_then_closed_then_gone() -> None:
    loop = asyncio.new_event_loop()
    home = Home(loop)
    name = f"{type(loop).__name__} at {id(loop):#x} of thread 'MainThread'"
    assert (home.loop, home.is_closed, str(home)) == (loop, False, f"the {name}")
    loop.close()
    assert (home.loop, home.is_closed, str(home)) == (loop, True, f"the closed {name}")
    del loop
    gc.collect()
    assert (home.loop, home.is_closed) == (None, True)
    assert str(home) == "an event loop of thread 'MainThread' that is gone"


@pytest.mark.parametrize("forgotten", [True, False])
def test_a_task_in_a_closed_loop_is_collected_without_a_complaint(forgotten: bool) -> None:
    complaints: list[dict[str, Any]] = []
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    waiters = Waiters(Home(loop), "thing")
    task = loop.run_until_complete(begin(waiters, 1)).pop()
    if forgotten:
        forget(task)
    loop.close()
    waiters.wake()  # no task can run
    del task, waiters
    gc.collect()
    assert [each["message"] for each in complaints] == ([] if forgotten else ["Task was destroyed but it is pending!"])
