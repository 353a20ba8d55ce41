"""Connecting: which addresses are tried when, and which attempt wins. Nothing in here waits."""

from __future__ import annotations

import contextlib
import errno
import math
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic

from .. import _native
from .._generated.enums import EndReason
from ..address import Address
from ..config import Config
from ..end import ClosedBy, ConnectionEnd
from ..errors import (
    ConnectFailed,
    ConnectionClosed,
    ConnectionLimitError,
    ConnectTimeout,
    SocketError,
    connect_error,
)
from ..identity import Identity
from .callbacks import in_context
from .checks import StatusCallback, check_options
from .connection import BaseConnection
from .deadline import Deadline
from .demands import demand_on_server
from .endpoint import Endpoint
from .log import dispatch_logs
from .mailbox import Mailbox
from .peers import PeerAddress, Rendezvous
from .sending import C

if TYPE_CHECKING:
    from ..certs import Expect

# Closed connections count for 5 s: many short ones one after another can reach GNS's limit for a while.
_LIMIT_RETRY = 0.05
# A name's next address is tried when the one before has not answered for this long (RFC 8305 says 0.25 s).
_NEXT_ADDRESS = 0.25
# Extra seconds for GNS to report its own timeout, which says more than ours.
_GRACE = 1.0
_MAX_TIMEOUT_MS = 2**31 - 1
# A server that listens at these is reached there, in this order: "::" is for both families.
_LOOPBACK = {"0.0.0.0": ("127.0.0.1",), "::": ("::1", "127.0.0.1")}


def check_peer(host: object, port: object) -> None:
    """Check that there is a port if, and only if, the host is not a peer's address.

    Raises:
        TypeError: There is none, or there are two; or the host is a peer itself, at which one only listens.
    """
    if isinstance(host, Rendezvous):
        raise TypeError("this is where to listen; to connect to a peer, give its address: peer.at(identity)")
    if isinstance(host, PeerAddress):
        if port is not None:
            raise TypeError("the address of a peer has its port: give no other one")
    elif port is None:
        raise TypeError("port is missing")


def connect_options(
    port: int | None,
    timeout: float | None,
    config: Config | None,
    on_status_changed: StatusCallback | None,
    expect: Expect | None = None,
) -> Config:
    """Check the arguments of connect(), and return the options, with the timeout as GNS's own unless they set one."""
    options = check_options(config, on_status_changed)
    demand_on_server(expect)  # checks it
    Deadline(timeout)  # checks it: the time does not run yet
    if port == 0:
        raise ValueError("port 0 is not a port to connect to")
    if options.timeout_initial is None:
        milliseconds = _MAX_TIMEOUT_MS if timeout is None else math.ceil(min(timeout * 1000, _MAX_TIMEOUT_MS))
        options = Config(timeout_initial=milliseconds) | options
    return options


def reachable(addresses: list[Address]) -> list[Address]:
    """Return the addresses that the system has a route to.

    A server that listens at all addresses of this machine is reached at loopback, as it is with TCP on most systems.

    Raises:
        OSError: There is no route to any of them.
    """
    found: list[Address] = []
    failure: OSError | None = None
    wanted = [Address(host, each.port) for each in addresses for host in _LOOPBACK.get(each.host, (each.host,))]
    for address in dict.fromkeys(wanted):
        family = socket.AF_INET6 if address.ip.version == 6 else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect(address)  # sends nothing
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):  # the core makes room, or says so
                found.append(address)
                continue
            failure = failure or OSError(error.errno, f"cannot connect to {address}: {error.strerror}")
        else:
            found.append(address)
    if failure is not None and not found:
        raise failure
    return found


def begin(
    mailbox: Mailbox,
    address: Address,
    options: Config,
    on_status_changed: StatusCallback | None,
    expect: Expect | None = None,
) -> Endpoint:
    """Begin to connect to an address, and return this end of the connection.

    Raises:
        ConnectionLimitError: GNS has as many connections as it can have, perhaps only for a while.
        SocketError: The system provides no socket.
        CertificateRefused: This process's certificate has expired.
    """
    if on_status_changed is not None:
        on_status_changed = in_context("on_status_changed", on_status_changed)
    policy = demand_on_server(expect)
    rendezvous = None
    if isinstance(address, PeerAddress):
        rendezvous = address.rendezvous
        handle = rendezvous.begin_connect(mailbox.handle, address, options, policy)
    else:
        handle = _native.connect(mailbox.handle, address, options, policy)
    endpoint = Endpoint(mailbox, handle, None, on_status_changed, rendezvous)
    mailbox.add(endpoint)
    with contextlib.suppress(ConnectionClosed):  # stopped meanwhile
        endpoint.info()  # for its repr(), which does not ask GNS
    return endpoint


class Attempts(Generic[C]):
    """The race between a host's addresses. The APIs make the attempts and wait; this says when and for what.

    Its owner closes it, which ends every attempt but the winner.
    """

    def __init__(self, addresses: Sequence[Address], timeout: float | None) -> None:
        self._untried = list(addresses)
        self._connections: list[C] = []
        self._winner: C | None = None
        self._deadline = Deadline(timeout)
        self._given_up = self._deadline.later(_GRACE)
        self._next = Deadline(0.0)

    def begin_next(self, make: Callable[[Address], C]) -> None:
        """Try the next address if there is one and it is due.

        Args:
            make: Begins to connect to an address. After a ConnectionLimitError, which may be temporary, the address is
                tried again later; after a SocketError, which may concern one address family, the next one is tried.

        Raises:
            ConnectionLimitError: There is still no room for a connection when the time is over.
            SocketError: There is no other address, and no other attempt.
        """
        while self._untried and (self._next.is_over() or not self.alive):
            try:
                connection = make(self._untried[0])
            except ConnectionLimitError:
                if self._deadline.is_over():
                    raise
                self._next = Deadline(_LIMIT_RETRY)
                return
            except SocketError:
                del self._untried[0]
                if not self._untried and not self._connections:
                    raise
                continue
            del self._untried[0]
            self._connections.append(connection)
            self._next = Deadline(_NEXT_ADDRESS)

    def first(self) -> C | None:
        """Make the first attempt the winner, and return it, if there is one."""
        self._winner = self._connections[0] if self._connections else None
        return self._winner

    @property
    def alive(self) -> list[C]:
        """The attempts that have not ended."""
        return [each for each in self._connections if BaseConnection.endpoint_of(each).end is None]

    def winner(self) -> C | None:
        """Return the first attempt that is established; None if there is none yet.

        Raises:
            ConnectFailed: Every attempt has failed, or the time is over.
        """
        for each in self._connections:
            if BaseConnection.endpoint_of(each).is_established:
                self._winner = each
                return each
        is_over = self._given_up.is_over() or not (self.alive or self._untried)
        if is_over and self._connections:  # else begin_next() makes the first attempt, or says why it cannot
            raise self._error()
        return None

    def remaining(self) -> float | None:
        """Return how many seconds to wait for a change before the next step; None for no limit."""
        return (self._next if self._untried else self._given_up).remaining()

    def close(self) -> None:
        """Close every attempt but the winner."""
        for each in self._connections:
            if each is not self._winner:
                BaseConnection.endpoint_of(each).close(EndReason.APP_GENERIC, "not needed", linger=False)

    def _error(self) -> ConnectFailed:
        end = BaseConnection.endpoint_of(self._connections[-1]).end
        if end is None:
            return ConnectTimeout(ConnectionEnd(ClosedBy.LOCAL, EndReason.MISC_TIMEOUT, "not connected in time"))
        return connect_error(end)


def make_pair(
    mailboxes: tuple[Mailbox, Mailbox], network: bool, identities: tuple[Identity | None, Identity | None]
) -> tuple[Endpoint, Endpoint]:
    """Make two connected ends, one in each mailbox, and return them.

    Raises:
        ConnectionLimitError: GNS has as many connections as it can have.
        TypeError: An identity is not an Identity.
    """
    first, second = identities
    for identity in (first, second):
        if identity is not None and not isinstance(identity, Identity):
            raise TypeError(f"an identity must be an Identity or None, not {type(identity).__name__}")
    handles = _native.socket_pair(
        mailboxes[0].handle,
        mailboxes[1].handle,
        network,
        "" if first is None else str(first),
        "" if second is None else str(second),
    )
    ends = Endpoint(mailboxes[0], handles[0], None, None), Endpoint(mailboxes[1], handles[1], None, None)
    for end in ends:
        end.is_established = True
        end.mailbox.add(end)
        with contextlib.suppress(ConnectionClosed):  # see begin()
            end.info()
    dispatch_logs()
    return ends
