"""Open ports: the internal listener, and what the listen sockets of all APIs offer. Nothing in here waits."""

from __future__ import annotations

import contextlib
import logging
import warnings
import weakref
from collections.abc import Callable, MutableMapping
from typing import Any, Generic, Protocol, TypeVar

from .. import _native
from .._generated.enums import ConnectionState, EndReason
from ..address import Address
from ..config import Config
from ..errors import ForkedError, GNSError, NotRunningError
from ..events import StatusChanged
from ..limits import NOTHING_COUNTED, ConnectionLimits, LimitCounters
from ..stats import ConnectionInfo
from .callbacks import in_context
from .checks import StatusCallback, check_goodbye
from .connection import BaseConnection
from .endpoint import Endpoint
from .mailbox import Mailbox
from .peers import PeerPort
from .ports import open_port
from .request import ConnectionRequest
from .sending import C, SendingConnection

_log = logging.getLogger("gns_py")
D = TypeVar("D", bound=SendingConnection, contravariant=True)


class Requests(Protocol[D]):
    """Where an API keeps the requests of a listener until they are decided."""

    def put(self, request: ConnectionRequest[Any]) -> None:
        """Add a request. Called on the thread that reads the mailbox."""

    def withdraw(self, connection: D) -> None:
        """Drop the request of a client that has given up. Called on the thread that reads the mailbox."""

    def close(self) -> None:
        """Let no one wait from now on: the listener is closed. Any thread."""

    def wake(self) -> None:
        """Wake everyone who waits for a request: none arrives any longer. Any thread."""


class Listener(Generic[C]):
    """An open port, and its acceptor for the mailbox; listen sockets and servers are the application's views of it.

    It refers to its connections strongly or, if sessions own them, weakly.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        requests: Requests[C],
        make_connection: Callable[[Endpoint], C],
        where: Address | PeerPort,
        options: Config,
        limits: ConnectionLimits | None,
        on_status_changed: StatusCallback | None,
        *,
        require_authentication: bool | None = None,
        owns_connections: bool = True,
    ) -> None:
        """Open the port; port 0 finds a free one."""
        self.is_closed = True  # until it is open
        self.mailbox = mailbox
        self._requests = requests
        self._make_connection = make_connection
        self._limit_counters = NOTHING_COUNTED
        self._connections: MutableMapping[int, C] = {} if owns_connections else weakref.WeakValueDictionary()
        self._rendezvous = where.rendezvous if isinstance(where, PeerPort) else None
        self.handle, self.address = open_port(mailbox, where, options, limits, require_authentication)
        self.is_closed = False
        self._on_status_changed = None
        if on_status_changed is not None:
            self._on_status_changed = in_context("on_status_changed", on_status_changed)
        mailbox.add_acceptor(self.handle, self)

    def __repr__(self) -> str:
        return f"<listen socket {self.address} {'closed' if self.is_closed else 'open'}>"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "is_closed", True) or _native.is_forked():  # missing if the constructor failed
            return
        _native.listen_close(self.handle, EndReason.GOING_AWAY, b"", True)  # first: the warning may be an exception
        self.mailbox.forget_acceptor(self.handle)
        _warn(f"unclosed listen socket {self.address}", ResourceWarning, source=self)

    @property
    def connections(self) -> list[C]:
        """The connections that are established or still connecting."""
        return [
            each for each in list(self._connections.values()) if not BaseConnection.endpoint_of(each).is_closed_here
        ]

    @property
    def limit_counters(self) -> LimitCounters:
        """How many connections the limits refused, and why."""
        with contextlib.suppress(GNSError):  # closed, or stopped: the last ones hold
            self._limit_counters = _native.listen_counters(self.handle)
        return self._limit_counters

    def close(self, code: int, text: str, *, linger: bool = True) -> None:
        """Close the port and its connections. See ListenSocket.close()."""
        goodbye = check_goodbye(code, text)
        if self.is_closed:
            return
        self.is_closed = True  # in one step with the check: another thread may be closing it, too
        self._limit_counters = self.limit_counters
        endpoints = [BaseConnection.endpoint_of(each) for each in self.connections]
        for endpoint in endpoints:
            endpoint.announce_end(code, text)
        was_open = _native.listen_close(self.handle, code, goodbye, linger)
        self.mailbox.receive_if_idle()
        for endpoint in endpoints:
            endpoint.mailbox.receive_if_idle()
        self.mailbox.remove_acceptor(self.handle)
        self._requests.close()
        if was_open:  # else GNS was stopped, or this is a fork
            self._requests.wake()

    def accept_or_drop(self, request: ConnectionRequest[C], mailbox: Mailbox | None) -> C | None:
        """Accept a request, into another mailbox if one is given; return None, and close it, if that fails.

        A client that has given up, or that does not speak the protocol, is not an error.

        Raises:
            NotRunningError: GNS was stopped.
            ForkedError: This process is a fork.
        """
        endpoint = BaseConnection.endpoint_of(request.connection)
        try:
            endpoint.accept(mailbox)
        except (NotRunningError, ForkedError):
            raise
        except GNSError as error:
            _log.info("%r was not accepted: %s", endpoint, error)
            endpoint.close()
            return None
        return request.connection

    def on_inbound(self, handle: int, info: ConnectionInfo, time_us: int) -> Endpoint:
        """See Acceptor."""
        endpoint = Endpoint(self.mailbox, handle, info, self._on_inbound_status, self._rendezvous)
        connection = self._make_connection(endpoint)
        self.mailbox.add(endpoint)
        self._connections[handle] = connection
        change = StatusChanged(connection, ConnectionState.NONE, ConnectionState.CONNECTING, info, time_us)
        self.mailbox.changes.append((endpoint, change))
        self._requests.put(ConnectionRequest(connection))
        return endpoint

    def on_stopped(self) -> None:
        """See Acceptor."""
        self._requests.wake()

    def _on_inbound_status(self, change: StatusChanged[Any]) -> None:
        if change.end is not None:
            self._connections.pop(change.connection.handle, None)
            self._requests.withdraw(change.connection)
        if self._on_status_changed is not None:
            self._on_status_changed(change)
