"""Contract tests use what both APIs have, and run with each: gns_py.sync, gns_py.asyncio, gns_py.asyncio on uvloop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import Api, BlockingAsyncio
from support.loops import LOOPS, new_loop

import gns_py.sync


@pytest.fixture(params=["sync", *(loop for loop in LOOPS if loop != "eager")])
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    """Each API, with the names of gns_py.sync."""
    if request.param == "sync":
        yield gns_py.sync
        return
    blocking = BlockingAsyncio(new_loop(request.param))
    yield blocking
    assert blocking.close() == []
