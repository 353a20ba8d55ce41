"""The WebSocket server of the signalling protocol."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from ..._uncopyable import Uncopyable
from ...certs import Certificate
from ...identity import Identity
from ..ice_servers import IceServers
from . import websockets_library
from .descriptors import most_connections
from .limits import Buckets, SignallingLimits, network_of
from .login import Authenticate, Login
from .served_client import MAX_UNSENT, ServedClient
from .switchboard import SignallingCounters, Switchboard
from .wire import MAX_FROM_CLIENT

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection

IceServersFunction: TypeAlias = "Callable[[Identity], IceServers | Awaitable[IceServers | None] | None]"
AddressOf: TypeAlias = "Callable[[ServerConnection], str]"

_Self = TypeVar("_Self", bound="SignallingServer")
_log = logging.getLogger("gns_py.p2p.signalling")
# Seconds between two looks at whether clients read what is sent to them.
_LOOK = 1.0
_TRY_AGAIN_LATER = 1013


class SignallingServer(Uncopyable):
    """A signalling service for many peers: it knows who they are, puts them into rooms, and passes their signals on.

    It runs in asyncio. Open ports with ``listen()``, or give ``handle()`` to a server of your own, of the library
    websockets, or do both. Use it as an ``async with`` block, or call ``aclose()``.

    Clients log in with a token, which the application checks, with a certificate, or with either. The server needs no
    runtime of GNS. One client's faults end that client's connection and nothing else; they are logged
    (``gns_py.p2p.signalling``).

    Args:
        authenticate: A function or coroutine function that returns the identity of a token (an Identity, or its
            text), or None if the token is not valid. It must not block the loop. If it raises, the exception is logged
            and that client is refused.
        trust: The certificates of the authorities whose clients may log in by certificate; None if none may.
        revoked: The numbers (``key_id``) of keys that were revoked.
        name: The name of this server, which clients that log in by certificate sign, so that no other server can
            use their proofs: the host in their URL, ``"sig.example.org"``.
        ice_servers: The servers that clients are told to use: IceServers, or a function or coroutine function that
            returns them for an identity, such as with ``turn_credentials()``. If it raises, that client is
            disconnected, and tries again later.
        rooms_only: True if clients reach only those with whom they share a room; False if all reach all.
        limits: The limits.
        address_of: Returns the address of a client, for the limit of connections from one address: behind a proxy, the
            one in a header that the proxy sets. None for the address of the socket.

    Raises:
        TypeError: A value is of another type.
        ValueError: There is no way to log in, or a name is needed for it.
        ImportError: The library websockets is not installed; or cryptography, for logins by certificate.
    """

    def __init__(
        self,
        authenticate: Authenticate | None = None,
        *,
        trust: Iterable[Certificate] | None = None,
        revoked: Collection[int] = (),
        name: str = "",
        ice_servers: IceServers | IceServersFunction | None = None,
        rooms_only: bool = True,
        limits: SignallingLimits | None = None,
        address_of: AddressOf | None = None,
    ) -> None:
        websockets_library.check()
        if not (ice_servers is None or isinstance(ice_servers, IceServers) or callable(ice_servers)):
            raise TypeError(f"ice_servers must be IceServers or a function, not {type(ice_servers).__name__}")
        self._limits = limits or SignallingLimits()
        self._login = Login(authenticate, trust, revoked, name)
        self._ice_servers = ice_servers
        self._switchboard = Switchboard(self._limits, rooms_only)
        self._address_of = address_of
        self._connects = Buckets[str](self._limits.connects_per_second, self._limits.connect_burst)
        self._connections: set[ServerConnection] = set()
        self._clients: set[ServedClient] = set()
        self._servers: list[Server] = []
        self._watch: asyncio.Task[None] | None = None
        self._is_closing = False
        self._closed = asyncio.Event()

    # ---- what it has ------------------------------------------------------------------------------------------------

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each socket that ``listen()`` has opened."""
        sockets = [each for server in self._servers for each in server.sockets]
        return [each.getsockname()[:2] for each in sockets]

    @property
    def client_count(self) -> int:
        """The number of clients that are logged in."""
        return len(self._switchboard)

    @property
    def room_count(self) -> int:
        """The number of rooms."""
        return len(self._switchboard.rooms)

    @property
    def counters(self) -> SignallingCounters:
        """Its counters: the object itself, which goes on counting."""
        return self._switchboard.counters

    # ---- serving ----------------------------------------------------------------------------------------------------

    async def listen(self, host: str | None, port: int, *, ssl: SSLContext | None = None) -> list[tuple[str, int]]:
        """Accept clients at an address.

        Args:
            host: The address or the name; None for all addresses of this machine.
            port: The TCP port; 0 for a free one.
            ssl: For ``wss://``: the context with the certificate and key of HTTPS. Without it the port speaks ``ws://``,
                in which tokens can be read by others: only for a proxy that speaks TLS, and for tests.

        Returns:
            Host and port of each socket of this server.

        Raises:
            OSError: The port is taken, or the address is not this machine's.
            RuntimeError: The server was closed.
        """
        from websockets.asyncio.server import serve

        if self._is_closing:
            raise RuntimeError("the signalling server was closed")
        server = await serve(
            self._serve,
            host,
            port,
            ssl=ssl,
            create_connection=websockets_library.counted_connection(self._admit, self._forget, MAX_UNSENT),
            compression=None,
            max_size=MAX_FROM_CLIENT,
            max_queue=4,
            open_timeout=self._limits.hello_timeout,
            close_timeout=5,
            logger=websockets_library.silent_logger(),
            ssl_handshake_timeout=None if ssl is None else self._limits.hello_timeout,
        )
        self._servers.append(server)
        return self.addresses

    async def handle(self, websocket: ServerConnection) -> None:
        """Serve one connection of a server of your own until it ends: use this as its handler, or call it from there.

        Args:
            websocket: The connection of ``websockets.asyncio.server.serve()``. Give that ``max_size=16384`` and
                ``compression=None``: this protocol needs no more.
        """
        if not self._admit(websocket):
            await websocket.close(_TRY_AGAIN_LATER)
            return
        try:
            await self._serve(websocket)
        finally:
            self._forget(websocket)

    async def serve_forever(self) -> None:
        """Wait until the server is closed."""
        await self._closed.wait()

    def set_trust(self, trust: Iterable[Certificate], revoked: Collection[int] = ()) -> None:
        """Replace the authorities that are trusted and the keys that were revoked, for logins from now on.

        Args:
            trust: The certificates of the authorities.
            revoked: The numbers of the keys.

        Raises:
            TypeError: One of the authorities is not a certificate.
            ValueError: The server was made without logins by certificate.
        """
        self._login.set_trust(trust, revoked)

    async def aclose(self) -> None:
        """Close the ports, and the connections to all clients, which try again later. Calling it again does nothing."""
        if self._is_closing:
            await self._closed.wait()
            return
        self._is_closing = True
        try:
            for server in self._servers:
                server.close(close_connections=False)
            for client in self._clients:
                client.end()
            for client in list(self._clients):
                await client.ended.wait()
        finally:
            for connection in list(self._connections):
                connection.transport.abort()
            if self._watch is not None:
                self._watch.cancel()
            self._closed.set()
        for server in self._servers:
            await server.wait_closed()
        if self._watch is not None:
            await asyncio.wait({self._watch})

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # ---- connections ------------------------------------------------------------------------------------------------

    def _admit(self, connection: ServerConnection) -> bool:
        """Count a new connection, and return True; return False if there are too many."""
        has_room = not self._is_closing and len(self._connections) < most_connections(self._limits.max_clients)
        if not has_room or not (self._address_of is not None or self._is_in_time(_socket_address(connection))):
            self.counters.refused_connections += 1
            return False
        self._connections.add(connection)
        self.counters.connections += 1
        return True

    def _forget(self, connection: ServerConnection) -> None:
        self._connections.discard(connection)

    def _is_in_time(self, address: str) -> bool:
        return not address or self._connects.take(network_of(address), time.monotonic())

    async def _serve(self, websocket: ServerConnection) -> None:
        if self._address_of is not None and not self._is_in_time(self._asked_address(websocket, self._address_of)):
            self.counters.refused_connections += 1
            await websocket.close(_TRY_AGAIN_LATER)
            return
        client = ServedClient(websocket, self._login, self._switchboard, self._limits, self._ice_servers_of)
        self._clients.add(client)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.ensure_future(self._look_after_clients())
        try:
            await client.serve()
        finally:
            self._clients.discard(client)

    @staticmethod
    def _asked_address(websocket: ServerConnection, address_of: AddressOf) -> str:
        try:
            return str(address_of(websocket))
        except Exception:
            _log.exception("address_of() has failed: the address of the socket counts")
            return _socket_address(websocket)

    async def _ice_servers_of(self, identity: Identity) -> IceServers | None:
        servers = self._ice_servers
        if servers is None or isinstance(servers, IceServers):
            return servers
        found = servers(identity)
        answer = await found if inspect.isawaitable(found) else found
        if not isinstance(answer, IceServers | None):
            raise TypeError(f"ice_servers() must return IceServers or None, not {type(answer).__name__}")
        return answer

    async def _look_after_clients(self) -> None:
        while self._clients:
            await asyncio.sleep(_LOOK)
            now = time.monotonic()
            for client in list(self._clients):
                client.look(now)


def _socket_address(websocket: ServerConnection) -> str:
    """Return the numeric address of the peer, or an empty text if it has none, as with a Unix socket."""
    address = websocket.remote_address
    return str(address[0]) if isinstance(address, tuple) else ""
