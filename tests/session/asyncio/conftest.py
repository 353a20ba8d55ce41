"""Event loops for tests of sessions."""

from __future__ import annotations

import pytest
from support.loops import LOOPS, Runner, new_loop, run_in


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Runner:
    """Return a function that runs the test's coroutine function, for each kind of loop."""
    return lambda main, *, debug=True: run_in(new_loop(request.param), main, debug=debug)
