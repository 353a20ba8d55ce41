"""Stores of each kind, under the names of one contract.

Wheels are tried on systems without redis-py, or without signals: there the tests of MemoryStore run.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from gns_py.session.store import MemoryStore, SessionStore, ValkeyStore

if TYPE_CHECKING:
    from support.store_servers import Server

collect_ignore = []
if find_spec("redis") is None or sys.platform == "win32":
    collect_ignore += ["test_clients.py", "test_runner.py", "test_valkey.py"]


def servers() -> ModuleType:
    """Return what runs servers, or skip the test."""
    pytest.importorskip("redis", reason="pip install 'gns-py[valkey]'")
    from support import store_servers

    return store_servers


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a Valkey that tests share."""
    server: Server = servers().Server(servers().valkey_binary(), tmp_path_factory.mktemp("valkey"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a Redis that tests share."""
    binary = servers().found("redis-server", "Debian's package has that name")
    server: Server = servers().Server(binary, tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Yield a cluster of three nodes that tests share."""
    with servers().running_cluster(servers().valkey_binary(), tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Server]:
    """Yield a Valkey that the test may harm."""
    binary = servers().valkey_binary()
    options = ["--appendonly", "yes", "--appendfsync", "always"]
    server: Server = servers().Server(binary, tmp_path / "valkey", *options)
    yield server
    server.kill()


class Backend:
    """A kind of store."""

    def __init__(self, make: Callable[..., SessionStore], flush: Callable[[Any], None], expire: Any) -> None:
        self.make = make
        """Return a store of this kind that shares no key with others; one prefix makes two share all."""
        self.flush = flush
        """Make the store lose all data."""
        self.expire: Callable[[float], Awaitable[None]] = expire
        """Let time pass."""

    @asynccontextmanager
    async def opened(self, **settings: Any) -> AsyncIterator[SessionStore]:
        store = self.make(**settings)
        await store.open()
        try:
            yield store
        finally:
            await store.aclose()


@pytest.fixture(params=["memory", "valkey", "redis", "cluster"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return each kind of store."""
    if request.param == "memory":
        now = 1000.0

        async def advance(seconds: float) -> None:
            nonlocal now
            now += seconds

        return Backend(
            lambda **settings: MemoryStore(clock=lambda: now, **settings), MemoryStore.lose_everything, advance
        )
    if request.param == "cluster":
        nodes: list[Server] = request.getfixturevalue("cluster")
    else:
        nodes = [request.getfixturevalue("redis_server" if request.param == "redis" else "valkey")]

    def make(**settings: Any) -> SessionStore:
        # Long enough for a machine with much to do.
        named: dict[str, Any] = {"prefix": secrets.token_hex(4), "timeout": 10.0, **settings}
        if request.param == "cluster":
            return ValkeyStore.cluster([node.address for node in nodes], **named)
        return ValkeyStore(nodes[0].url, **named)

    def flush(_: object) -> None:
        for node in nodes:
            node.call("FLUSHALL")

    return Backend(make, flush, lambda seconds: asyncio.sleep(seconds + 0.01))
