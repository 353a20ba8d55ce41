"""pytest fixtures to test netcode with: real connections over UDP on loopback, and networks as bad as need be.

pytest loads this module by itself, where gns_py is installed; ``-p no:gns_py`` keeps it out. Nothing starts before a
test uses a fixture:

- ``gns_network(loss=5, lag=50)`` simulates a ``gns_py.sim.Network`` from there to the end of the test;
- ``gns_server(handler)`` runs a server on a free port, closed after the test;
- ``gns_pair()`` makes a connected client and server, closed after the test.

Tests of asyncio code use them as they are, under any asyncio plugin or none: gns_network is a plain call, gns_server
also takes an ``async def`` handler, which runs in an event loop and a thread of its own, and a client is
``gns_py.asyncio.connect(*server.address)`` in the test itself.

PYTEST_DONT_REWRITE: nothing in here asserts, and who imports its types before pytest loads it needs no warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import pytest

if TYPE_CHECKING:
    from .. import sync
    from .network import Network

# For handlers that do not end when their connection does.
_HANDLERS_END = 5.0
_CONNECT = 10.0


class Pair(NamedTuple):
    """Two connected ends; what gns_pair() makes."""

    client: sync.Connection
    server: sync.Connection


NetworkMaker: TypeAlias = "Callable[..., Network]"
PairMaker: TypeAlias = "Callable[..., Pair]"
ServerMaker: TypeAlias = "Callable[..., sync.Server]"


@pytest.fixture
def gns_network() -> Iterator[NetworkMaker]:
    """``gns_network(loss=5, lag=50, ...)``, parameters as of gns_py.sim.Network: from here on the network is like that.

    Each call replaces the one before it: ``gns_network(loss=100)`` cuts it, ``gns_network()`` makes it perfect. After
    the test it is as it was before. For all connections in this process.
    """
    from .network import Network

    with ExitStack() as stack:
        yield lambda **parameters: stack.enter_context(Network(**parameters))


@pytest.fixture
def gns_pair() -> Iterator[PairMaker]:
    """``client, server = gns_pair()``: two ends (gns_py.sync), connected over UDP on loopback, each read on its own.

    ``gns_pair(config, server_config=None)``: options for the client and, if the server has none of its own, for both.
    All that it made is closed after the test.
    """
    from .. import sync

    with ExitStack() as stack:

        def make(config: sync.Config | None = None, server_config: sync.Config | None = None) -> Pair:
            listener = sync.listen("127.0.0.1", 0, config=server_config or config)
            stack.callback(listener.close, linger=False)  # as all of them: nobody waits for what is under way
            client = sync.connect(*listener.address, timeout=_CONNECT, config=config, wait=False)
            stack.callback(client.close, linger=False)
            server = listener.accept(_CONNECT)
            stack.callback(server.close, linger=False)
            while client.state is sync.ConnectionState.CONNECTING:
                client.poll(_CONNECT)
            return Pair(client, server)

        yield make


@pytest.fixture
def gns_server() -> Iterator[ServerMaker]:
    """``server = gns_server(handler)``: gns_py.sync.serve() on a free port of 127.0.0.1, which server.address tells.

    ``gns_server(handler, config=None)``: options of the server's connections. After the test the server is closed, and
    the test fails with an error if a handler raised (other than ConnectionClosed), or has not ended 5 seconds later.
    """
    from .. import sync

    failures: list[Exception] = []

    def start(handler: Callable[[sync.Connection], object], *, config: sync.Config | None = None) -> sync.Server:
        def noting(connection: sync.Connection) -> None:
            try:
                handler(connection)
            except sync.ConnectionClosed:
                raise
            except Exception as error:
                failures.append(error)
                raise

        server = sync.serve(noting, "127.0.0.1", 0, config=config)
        stack.callback(server.wait_closed, _HANDLERS_END)
        stack.callback(server.close, linger=False)
        return server

    with ExitStack() as stack:
        yield start
    if failures:
        raise failures[0]
