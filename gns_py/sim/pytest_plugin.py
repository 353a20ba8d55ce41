"""pytest fixtures to test netcode with: real connections over UDP on loopback, and networks as bad as need be.

pytest loads this module by itself, where gns_py is installed; ``-p no:gns_py`` keeps it out. Nothing starts before a
test uses a fixture:

- ``gns_network(loss=5, lag=50)`` simulates a ``gns_py.sim.Network`` from there to the end of the test;
- ``gns_server(handler)`` runs a server on a free port, closed after the test;
- ``client, server = gns_pair`` are connected to each other, and closed after the test.

Tests of asyncio code use them as they are, under any asyncio plugin or none: gns_network is a plain call, gns_server
also takes an ``async def`` handler, which runs in an event loop and a thread of its own; a client then comes from
``gns_py.asyncio.connect(*server.address)``, a pair from ``gns_py.asyncio.socket_pair(network=True)``, in the test.

PYTEST_DONT_REWRITE: nothing in here asserts, and who imports its types before pytest loads it needs no warning.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pytest

if TYPE_CHECKING:
    import gns_py.asyncio

    from .. import sync
    from .._core.server import BaseServer
    from .network import Network

# For handlers that do not end when their connection does.
_HANDLERS_END = 5.0
_CONNECT = 10.0


class Pair(NamedTuple):
    """Two connected ends; what gns_pair() makes."""

    client: sync.Connection
    server: sync.Connection


NetworkMaker: TypeAlias = "Callable[..., Network]"
ServerMaker: TypeAlias = "Callable[..., BaseServer[Any]]"


@pytest.fixture
def gns_network() -> Iterator[NetworkMaker]:
    """``gns_network(loss=5, lag=50, ...)``, parameters as of gns_py.sim.Network: from here on the network is like that.

    Each call replaces the one before it: ``gns_network(loss=100)`` cuts it, ``gns_network()`` makes it perfect. After
    the test it is as it was before. For all connections in this process.
    """
    from .network import Network

    with ExitStack() as stack:
        yield lambda **parameters: stack.enter_context(Network(**parameters))


class PairMaker:
    """``client, server = gns_pair`` is one connected pair; ``gns_pair(config, server_config)`` makes another one."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._first: Pair | None = None

    def __iter__(self) -> Iterator[sync.Connection]:
        self._first = self._first or self()
        return iter(self._first)

    def __call__(self, config: sync.Config | None = None, server_config: sync.Config | None = None) -> Pair:
        """Connects a client to a server. config: the client's options, and the server's if it has none of its own."""
        from .. import sync

        stack = self._stack
        listener = sync.listen("127.0.0.1", 0, config=server_config or config, limits=None)
        stack.callback(listener.close, linger=False)  # as all of them: nobody waits for what is under way
        client = sync.connect(*listener.address, timeout=_CONNECT, config=config, wait=False)
        stack.callback(client.close, linger=False)
        server = listener.accept(_CONNECT)
        stack.callback(server.close, linger=False)
        while client.state is sync.ConnectionState.CONNECTING:
            client.poll(_CONNECT)
        return Pair(client, server)


@pytest.fixture
def gns_pair() -> Iterator[PairMaker]:
    """``client, server = gns_pair``: two ends (gns_py.sync), connected over UDP on loopback, each read on its own.

    ``gns_pair(config, server_config=None)`` makes another pair: options for the client and, if the server has none of
    its own, for both. They are connected when they are asked for, and closed after the test.
    """
    with ExitStack() as stack:
        yield PairMaker(stack)


@pytest.fixture
def gns_server() -> Iterator[ServerMaker]:
    """``server = gns_server(handler)``: serve() on a free port of 127.0.0.1, which server.address tells.

    Without limits, for all of a test's clients are at one address. handler: a function for gns_py.sync, or an
    ``async def`` for gns_py.asyncio. ``gns_server(handler, config=None)``: options of the server's connections. After
    the test the server is closed, and the test fails with an error if a handler raised (other than ConnectionClosed),
    or has not ended 5 seconds later.
    """
    from .. import sync
    from .._core.callbacks import is_coroutine_function
    from .._core.failures import without

    failures: list[Exception] = []

    @contextmanager
    def noting() -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            rest = without(error, sync.ConnectionClosed)
            if isinstance(rest, Exception):
                failures.append(rest)
            raise

    def start(handler: Callable[[Any], Any], *, config: sync.Config | None = None) -> BaseServer[Any]:
        if is_coroutine_function(handler):

            async def handle_async(connection: gns_py.asyncio.Connection) -> None:
                with noting():
                    await handler(connection)

            return _serve_in_a_thread(handle_async, config, stack)

        def handle(connection: sync.Connection) -> None:
            with noting():
                handler(connection)

        server = sync.serve(handle, "127.0.0.1", 0, config=config, limits=None)
        stack.callback(server.wait_closed, _HANDLERS_END)
        stack.callback(server.close, linger=False)
        return server

    with ExitStack() as stack:
        yield start
    if failures:
        raise failures[0]


def _serve_in_a_thread(
    handler: Callable[[gns_py.asyncio.Connection], Coroutine[Any, Any, None]],
    config: sync.Config | None,
    stack: ExitStack,
) -> gns_py.asyncio.Server:
    """A server whose event loop has a thread of its own, both until the stack is closed."""
    import asyncio

    import gns_py.asyncio

    started: Future[gns_py.asyncio.Server] = Future()

    async def run() -> None:
        try:
            server = await gns_py.asyncio.serve(handler, "127.0.0.1", 0, config=config, limits=None)
        except Exception as error:
            started.set_exception(error)
        else:
            started.set_result(server)
            await server.wait_closed()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="gns_server", daemon=True)

    def join() -> None:
        thread.join(_HANDLERS_END)
        if thread.is_alive():
            raise TimeoutError(f"the handlers did not end within {_HANDLERS_END} s")

    thread.start()
    stack.callback(join)
    server = started.result()
    stack.callback(server.close, linger=False)
    return server
