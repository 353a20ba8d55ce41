"""Event loops for tests of signalling."""

from __future__ import annotations

import pytest
from support.loops import LOOPS, Runner, new_loop, run_in


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Runner:
    """Return a function that runs the test's coroutine function, for each kind of loop."""
    return lambda main, *, debug=True: run_in(new_loop(request.param), main, debug=debug)


@pytest.fixture(scope="session", autouse=True)
def _resolver_threads() -> None:
    """Start the threads in which uvloop resolves names, which it keeps, before threads are counted."""
    for kind in LOOPS:
        loop = new_loop(kind)
        loop.run_until_complete(loop.getaddrinfo("127.0.0.1", 0))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
