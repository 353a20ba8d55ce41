"""Contract tests run with each API: gns_py.sync, gns_py.asyncio, and gns_py.asyncio on uvloop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import Api, BlockingAsyncio
from support.certified import Other
from support.loops import LOOPS, new_loop

import gns_py.sync
from gns_py import Config
from gns_py.sync import Connection, ListenSocket

if TYPE_CHECKING:  # it needs cryptography
    from support.certificates import TestAuthority

Connect = Callable[..., Connection]


@pytest.fixture(params=["sync", *(loop for loop in LOOPS if loop != "eager")])
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    """Yield each API under the names of gns_py.sync."""
    if request.param == "sync":
        yield gns_py.sync
        return
    blocking = BlockingAsyncio(new_loop(request.param))
    yield blocking
    assert blocking.close() == []


@pytest.fixture
def connect(api: Api, listener: ListenSocket) -> Iterator[Connect]:
    """Yield a function that begins to connect to the listen socket; the connections are closed after the test."""
    clients: list[Connection] = []

    def begin(config: Config | None = None) -> Connection:
        clients.append(api.connect("127.0.0.1", listener.address.port, config=config, wait=False))
        return clients[-1]

    yield begin
    for client in clients:
        client.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    """Yield another process, for certificates of its own."""
    with Other(tmp_path) as other:
        yield other


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    """Return the authority that is trusted."""
    return make_authority()


@pytest.fixture(scope="module")
def unknown() -> TestAuthority:
    """Return an authority that is not."""
    return make_authority()


def make_authority() -> TestAuthority:
    from support.certificates import TestAuthority

    return TestAuthority()
