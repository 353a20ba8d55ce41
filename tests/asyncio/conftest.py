"""asyncio tests run in debug mode on asyncio's loop, on uvloop, and, where Python has them, with eager tasks."""

from __future__ import annotations

import asyncio

import pytest
from support.loops import LOOPS, Runner, new_loop, run_in


@pytest.fixture(scope="session", autouse=True)
def _loops_warmed_up() -> None:
    """What a kind of loop opens once per process is open before anything is counted."""
    for kind in LOOPS:
        loop = new_loop(kind)
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Runner:
    """Runs the test's coroutine function, in each kind of loop."""
    return lambda main, *, debug=True: run_in(new_loop(request.param), main, debug=debug)
