"""listen()."""

from __future__ import annotations

from types import TracebackType

from .._core.checks import StatusCallback, check_options
from .._core.demands import demand_on_clients
from .._core.listen_socket import BaseListenSocket
from .._core.listener import Listener
from .._core.peers import PeerPort, Rendezvous
from .._core.ports import host_to_listen
from .._core.request import ConnectionRequest
from ..address import Address
from ..config import Config
from ..errors import InvalidStateError
from ..limits import DEFAULT_LIMITS, ConnectionLimits, check_limits
from .awaitable import AwaitableContext
from .connection import Connection
from .mailbox import loop_mailbox
from .requests import LoopRequests
from .resolver import resolve_in_executor


class ListenSocket(BaseListenSocket[Connection]):
    """An open port, made by listen(). One task reads it: with ``async for``, or with accept().

    As an async context manager it is closed at the end.
    """

    def __init__(self, listener: Listener[Connection], requests: LoopRequests) -> None:
        super().__init__(listener)
        self._requests = requests

    async def accept(self) -> Connection:
        """Wait for the next connection, accept it and return it. Cancelling this loses no connection.

        Raises:
            InvalidStateError: The socket is closed.
            ConcurrencyError: Another task is reading.

        Note:
            Native function: ``AcceptConnection``.
        """
        async for request in self._requests:
            connection = self._listener.accept_or_drop(request, None)
            if connection is not None:
                return connection
        raise InvalidStateError("the listen socket is closed")

    def __aiter__(self) -> ListenSocket:
        """Iterate over requests as they arrive, each to be accepted or rejected, until the socket is closed."""
        return self

    async def __anext__(self) -> ConnectionRequest[Connection]:
        return await anext(self._requests)

    async def __aenter__(self) -> ListenSocket:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class OpenListener:
    """Opens a port when it is called. See listen(), and Listener."""

    def __init__(
        self,
        host: str | Rendezvous,
        port: int,
        config: Config | None,
        limits: ConnectionLimits | None,
        on_status_changed: StatusCallback | None,
        *,
        require_authentication: bool | None = None,
        owns_connections: bool = True,
    ) -> None:
        self._options = check_options(config, on_status_changed)
        check_limits(limits)
        demand_on_clients(require_authentication)  # checks it
        self._limits = limits
        self._require_authentication = require_authentication
        self._where = host, port
        self._on_status_changed = on_status_changed
        self._owns_connections = owns_connections

    async def __call__(self) -> tuple[Listener[Connection], LoopRequests]:
        """Open the port in the running loop, and return its listener and requests."""
        host, port = self._where
        if isinstance(host, Rendezvous):
            where: Address | PeerPort = host.virtual_port(port)
        else:
            where = (await resolve_in_executor(host_to_listen(host), port))[0]
        mailbox = loop_mailbox()
        requests = LoopRequests(mailbox)
        try:
            listener = Listener(
                mailbox,
                requests,
                Connection,
                where,
                self._options,
                self._limits,
                self._on_status_changed,
                require_authentication=self._require_authentication,
                owns_connections=self._owns_connections,
            )
            return listener, requests
        finally:
            mailbox.detach_if_idle()


class listen(AwaitableContext[ListenSocket]):  # noqa: N801 - it is used like a function
    """Open a port: ``await listen(...)``, or ``async with listen(...) as socket``, for a ListenSocket.

    Args:
        host: An address or name of this machine. "0.0.0.0" is all of IPv4, "::" all of IPv4 and IPv6; "" is "::", or
            "0.0.0.0" where the system has no IPv6. Each peer is answered from the address that it called. Or a Peer of
            gns_py.p2p, to listen to other peers.
        port: The UDP port; 0 finds a free one, which ``address`` reports. Of a Peer the virtual port, 0 to 65535.
        config: Options of the inbound connections.
        limits: How many connections, of each address and in all, may be open, half open, and arrive at once; None
            for no limits. Peers have limits of their own: see Peer.
        require_authentication: True to refuse, in the handshake, clients whose identity is not proved; False to let
            them in, whatever start() demands; None for what that demands.
        on_status_changed: Called with each StatusChanged of these connections, from NONE -> CONNECTING on, in the
            context (contextvars) of listen(), by the loop.

    Raises:
        ListenError: The port is taken, or the address is not this machine's. An OSError.
        OSError: The name cannot be resolved.
        CertificateRefused: This process's own certificate has expired.
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.

    Note:
        Native functions: ``CreateListenSocketIP``, ``CreateListenSocketP2P``.
    """

    def __init__(
        self,
        host: str | Rendezvous,
        port: int,
        *,
        config: Config | None = None,
        limits: ConnectionLimits | None = DEFAULT_LIMITS,
        require_authentication: bool | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> None:
        self._open_listener = OpenListener(
            host, port, config, limits, on_status_changed, require_authentication=require_authentication
        )

    async def _open(self) -> ListenSocket:
        return ListenSocket(*await self._open_listener())
