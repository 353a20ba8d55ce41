"""listen()."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from .._core.checks import StatusCallback, check_options
from .._core.deadline import Deadline
from .._core.demands import demand_on_clients
from .._core.listen_socket import BaseListenSocket
from .._core.listener import Listener
from .._core.mailbox import Mailbox
from .._core.peers import Rendezvous
from .._core.ports import host_to_listen
from .._core.request import ConnectionRequest
from .._core.resolver import resolve
from ..config import Config
from ..errors import InvalidStateError
from ..limits import DEFAULT_LIMITS, ConnectionLimits, check_limits
from .connection import Connection, Event
from .polling import poll
from .requests import MailboxRequests, requests_of


class ListenSocket(BaseListenSocket[Connection]):
    """An open port, made by listen(). One thread reads it: with poll(), or with accept().

    As a context manager it is closed at the end. Connections that were accepted from poll() have their events there;
    those from accept() are read on their own.
    """

    def poll(self, timeout: float | None = 0.0) -> list[Event]:
        """Wait for something to happen and return everything that has happened since the last call.

        Events are ConnectionRequest, MessageReceived and StatusChanged (also for what this side closes), in order for
        each connection; the last StatusChanged of a connection has an ``end``. Sleeps natively and wakes at the first
        event; in the main thread, Ctrl-C ends it within 0.1 s.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            ConcurrencyError: Another thread is reading.
            TypeError: ``timeout`` is not a number.
            ValueError: ``timeout`` is negative.

        Note:
            Native function: ``ReceiveMessagesOnPollGroup``, called by the thread that serves GNS.
        """
        return poll(self._listener.mailbox, timeout, lambda: self._listener.is_closed)

    def accept(self, timeout: float | None = None) -> Connection:
        """Wait for the next connection, accept it and return it, to be read on its own by any one thread.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: No client connected in time.
            InvalidStateError: The socket is closed.
            ConcurrencyError: Another thread is reading.

        Note:
            Native function: ``AcceptConnection``.
        """
        for request in requests_of(self._listener, Deadline(timeout)):
            connection = self._listener.accept_or_drop(request, Mailbox())
            if connection is not None:
                return connection
        if self._listener.is_closed:
            raise InvalidStateError("the listen socket is closed")
        raise TimeoutError(f"no client connected within {timeout} s")

    def __iter__(self) -> Iterator[ConnectionRequest[Connection]]:
        """Iterate over requests as they arrive, each to be accepted or rejected, until the socket is closed."""
        return requests_of(self._listener, Deadline(None))

    def __enter__(self) -> ListenSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_listener(
    host: str | Rendezvous,
    port: int,
    config: Config | None,
    limits: ConnectionLimits | None,
    on_status_changed: StatusCallback | None,
    *,
    require_authentication: bool | None = None,
    owns_connections: bool = True,
) -> Listener[Connection]:
    """Open a port. See listen(), and Listener."""
    options = check_options(config, on_status_changed)
    check_limits(limits)
    demand_on_clients(require_authentication)  # checks it
    where = host.virtual_port(port) if isinstance(host, Rendezvous) else resolve(host_to_listen(host), port)[0]
    mailbox = Mailbox()
    return Listener(
        mailbox,
        MailboxRequests(mailbox),
        Connection,
        where,
        options,
        limits,
        on_status_changed,
        require_authentication=require_authentication,
        owns_connections=owns_connections,
    )


def listen(
    host: str | Rendezvous,
    port: int,
    *,
    config: Config | None = None,
    limits: ConnectionLimits | None = DEFAULT_LIMITS,
    require_authentication: bool | None = None,
    on_status_changed: StatusCallback | None = None,
) -> ListenSocket:
    """Open a port and return its ListenSocket, which is also a context manager.

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
            context (contextvars) of listen(), by the thread that reads them.

    Raises:
        ListenError: The port is taken, or the address is not this machine's. An OSError.
        OSError: The name cannot be resolved.
        CertificateRefused: This process's own certificate has expired.
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.

    Note:
        Native functions: ``CreateListenSocketIP``, ``CreateListenSocketP2P``.
    """
    return ListenSocket(
        open_listener(host, port, config, limits, on_status_changed, require_authentication=require_authentication)
    )
