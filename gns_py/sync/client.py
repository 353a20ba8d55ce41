"""connect()."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from .._core.checks import StatusCallback
from .._core.connecting import Attempts, begin, check_peer, connect_options, make_pair, reachable
from .._core.mailbox import Mailbox
from .._core.peers import PeerAddress
from .._core.resolver import resolve
from ..config import Config
from ..identity import Identity
from .connection import Connection

if TYPE_CHECKING:
    from ..certs import Expect


def connect(
    host: str | PeerAddress,
    port: int | None = None,
    *,
    timeout: float | None = 10.0,
    config: Config | None = None,
    expect: Expect | None = None,
    on_status_changed: StatusCallback | None = None,
    wait: bool = True,
) -> Connection:
    """Connect to a listening GNS program and return the connection, which is also a context manager.

    Args:
        host: An address or a name. A name is looked up first (blocking, not part of the timeout), and if it has
            several addresses, the next one is tried after 0.25 s without an answer. "0.0.0.0", "::" and "" are
            loopback. Or, with no port, the address of a peer, of Peer.at().
        port: The UDP port.
        timeout: Seconds until it must be connected; None for no limit. It is also ``timeout_initial``, unless
            ``config`` sets one.
        config: Options of the connection.
        expect: The server that is wanted. Any other one is refused in the handshake, before anything is sent to it. By
            default every server that start() does not refuse.
        on_status_changed: Called with each StatusChanged, from NONE -> CONNECTING on, by the thread that reads (that
            is, inside connect(), recv() and so on), in the context (contextvars) of connect(). Messages may be sent
            from the first one on.
        wait: False returns at once, still CONNECTING, for loops that poll(); only the host's first address is tried.

    Raises:
        ConnectTimeout: The server did not answer or did not accept in time. A TimeoutError.
        ConnectFailed: The server refused, or the connection ended otherwise; see its ``end``.
        CertificateRefused: This process's own certificate has expired.
        ConnectionLimitError: GNS has as many connections as it can have.
        SocketError: The system has no descriptor left, or no such address family.
        OSError: The name cannot be resolved, or there is no way to its addresses.
        TypeError: An argument has the wrong type.
        ValueError: An argument is out of range.

    Note:
        Native functions: ``ConnectByIPAddress``, ``ConnectP2PCustomSignaling``.
    """
    check_peer(host, port)  # before the mailbox, which starts GNS
    connection = connect_in(Mailbox(), host, port, timeout, config, on_status_changed, expect=expect, wait=wait)
    assert connection is not None  # it was not cancelled
    return connection


def connect_in(
    mailbox: Mailbox,
    host: str | PeerAddress,
    port: int | None,
    timeout: float | None,
    config: Config | None,
    on_status_changed: StatusCallback | None,
    *,
    expect: Expect | None = None,
    wait: bool = True,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Connection | None:
    """Do what connect() does, in this mailbox; return None if it is cancelled, which a wake() makes it notice."""
    options = connect_options(port, timeout, config, on_status_changed, expect)
    addresses = [host] if isinstance(host, PeerAddress) else reachable(resolve(host, cast("int", port)))
    attempts: Attempts[Connection] = Attempts(addresses if wait else addresses[:1], timeout)
    try:
        while (connection := attempts.winner()) is None and not is_cancelled():
            attempts.begin_next(lambda address: Connection(begin(mailbox, address, options, on_status_changed, expect)))
            if not wait and (connection := attempts.first()) is not None:
                break
            mailbox.receive(attempts.remaining())
        return connection
    finally:
        attempts.close()


def socket_pair(
    *, network: bool = False, identities: tuple[Identity | None, Identity | None] = (None, None)
) -> tuple[Connection, Connection]:
    """Return two connected ends in this process, each for its own reader.

    They are established from the start, so neither reports CONNECTED.

    Args:
        network: Whether to connect them over UDP on loopback, with encryption, rates and simulated faults, instead of
            in memory.
        identities: The identity that each end presents to the other.

    Raises:
        ConnectionLimitError: GNS has as many connections as it can have.
        TypeError: An identity is not an Identity.

    Note:
        Native function: ``CreateSocketPair``.
    """
    first, second = make_pair((Mailbox(), Mailbox()), network, identities)
    return Connection(first), Connection(second)
