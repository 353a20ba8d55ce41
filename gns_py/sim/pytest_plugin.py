"""pytest fixtures for testing netcode: real connections over UDP on loopback, and simulated bad networks.

pytest loads this module automatically if gns_py is installed; ``-p no:gns_py`` disables it. Nothing starts before a
test uses a fixture:

- ``gns_network(loss=5, lag=50)`` simulates a ``gns_py.sim.Network`` from the call to the end of the test;
- ``gns_server(handler)`` runs a server on a free port, and closes it after the test;
- ``client, server = gns_pair`` are connected to each other, and closed after the test.

Tests of asyncio code can use them, with any asyncio plugin or without one: gns_network is a plain call, and gns_server
also accepts an ``async def`` handler, which runs in an event loop in a thread of its own. In the test, connect a client
with ``gns_py.asyncio.connect(*server.address)``, or make a pair with ``gns_py.asyncio.socket_pair(network=True)``.

PYTEST_DONT_REWRITE: this module has no assertions, and importing its types before pytest loads it needs no warning.
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
    from .network import Network

# The time, in seconds, that handlers have to end after their connections.
_HANDLERS_END = 5.0
_CONNECT = 10.0


class Pair(NamedTuple):
    """Two connected ends, as made by gns_pair()."""

    client: sync.Connection
    server: sync.Connection


NetworkMaker: TypeAlias = "Callable[..., Network]"
ServerMaker: TypeAlias = "Callable[..., sync.Server | gns_py.asyncio.Server]"


@pytest.fixture
def gns_network() -> Iterator[NetworkMaker]:
    """``gns_network(loss=5, lag=50, ...)`` simulates a network, with the parameters of gns_py.sim.Network.

    It applies to all connections in this process, until the next call or the end of the test: ``gns_network(loss=100)``
    cuts the network, ``gns_network()`` makes it perfect.
    """
    from .network import Network

    with ExitStack() as stack:
        yield lambda **parameters: stack.enter_context(Network(**parameters))


class PairMaker:
    """Makes connected pairs: one when it is unpacked, and another at each call."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._first: Pair | None = None

    def __iter__(self) -> Iterator[sync.Connection]:
        self._first = self._first or self()
        return iter(self._first)

    def __call__(self, config: sync.Config | None = None, server_config: sync.Config | None = None) -> Pair:
        """Connect a client to a server on a free port of 127.0.0.1.

        Args:
            config: The client's options.
            server_config: The server's options; by default those of the client.
        """
        from .. import sync

        stack = self._stack
        listener = sync.listen("127.0.0.1", 0, config=server_config or config, limits=None)
        stack.callback(listener.close, linger=False)  # like the others: data under way is not needed
        client = sync.connect(*listener.address, timeout=_CONNECT, config=config, wait=False)
        stack.callback(client.close, linger=False)
        server = listener.accept(_CONNECT)
        stack.callback(server.close, linger=False)
        while client.state is sync.ConnectionState.CONNECTING:
            client.poll(_CONNECT)
        return Pair(client, server)


@pytest.fixture
def gns_pair() -> Iterator[PairMaker]:
    """``client, server = gns_pair`` are two connected ends (of gns_py.sync), over UDP on loopback.

    ``gns_pair(config, server_config=None)`` makes another pair with options; those of the server default to those of
    the client. Pairs are made when they are unpacked or called for, and closed after the test.
    """
    with ExitStack() as stack:
        yield PairMaker(stack)


@pytest.fixture
def gns_server() -> Iterator[ServerMaker]:
    """``gns_server(handler)`` returns a server on a free port of 127.0.0.1, which is in its ``address``.

    The handler is a function for gns_py.sync, or an ``async def`` for gns_py.asyncio. ``gns_server(handler,
    config=...)`` sets options of the server's connections. No limits apply, since all clients of a test have one
    address. The server is closed after the test. The test ends with an error if a handler raised anything but
    ConnectionClosed, or has not ended 5 seconds later.
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

    def start(
        handler: Callable[[Any], Any], *, config: sync.Config | None = None
    ) -> sync.Server | gns_py.asyncio.Server:
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
    """Serve in an event loop in a thread of its own, until the stack is closed."""
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
