"""connect(): names, addresses, time limits."""

from __future__ import annotations

from .._core.connecting import (
    GRACE,
    LIMIT_RETRY,
    NEXT_ADDRESS,
    adopt_pair,
    begin,
    connect_options,
    make_pair,
    not_connected,
    reachable,
)
from .._core.deadline import Deadline
from .._core.endpoint import StatusCallback
from .._core.runtime import Mailbox
from .._generated.enums import EndReason
from ..address import Address, resolve
from ..config import Config
from ..errors import ConnectionLimitError, SocketError
from ..identity import Identity
from .connection import Connection


def connect(
    host: str,
    port: int,
    *,
    timeout: float | None = 10.0,
    config: Config | None = None,
    on_status_changed: StatusCallback | None = None,
    wait: bool = True,
) -> Connection:
    """Connects to a listening GNS program and returns the connection, which is also a context manager.

    host: an address or a name; a name is looked up first (blocking, not part of the timeout), and if it has several
    addresses, the next one is tried after 0.25 s without an answer. "0.0.0.0", "::" and "" are
    loopback. timeout: seconds until it must be connected, None for no limit; it is also timeout_initial, unless config
    has one. on_status_changed: called with each StatusChanged, from NONE -> CONNECTING on, by the thread that reads,
    that is inside of connect(), recv() and so on, in the context (contextvars) of connect(); messages may be sent from
    the first one on. wait: False returns at once, still CONNECTING (only a host with one address), for loops that
    poll().
    Errors: ConnectTimeout (a TimeoutError), ConnectFailed (refused: see its end), ConnectionLimitError, SocketError (no
    descriptor, no such address family), OSError (the name cannot be resolved; there is no way to its addresses),
    TypeError, ValueError. Native: ConnectByIPAddress.
    """
    options = connect_options(port, timeout, config, on_status_changed)
    addresses = reachable(resolve(host, port))
    deadline = Deadline(timeout)
    if not wait:
        return _begin(Mailbox(), addresses[0], options, on_status_changed, deadline)
    attempts: list[Connection] = []
    try:
        return _race(addresses, options, on_status_changed, deadline, attempts)
    finally:
        for attempt in attempts:
            if not attempt._established:
                attempt.close(EndReason.APP_GENERIC, "not needed", linger=False)


def _race(
    addresses: list[Address],
    options: Config,
    on_status_changed: StatusCallback | None,
    deadline: Deadline,
    attempts: list[Connection],
) -> Connection:
    """The first attempt that is connected; the rest are the caller's to close."""
    mailbox = Mailbox()
    untried = list(addresses)
    given_up = deadline.later(GRACE)
    while True:
        if untried:
            try:
                attempts.append(_begin(mailbox, untried.pop(0), options, on_status_changed, deadline))
            except SocketError:  # no such address family, perhaps: others may do
                if untried:
                    continue
                if not attempts:
                    raise
        next_address = Deadline(NEXT_ADDRESS if untried else given_up.remaining())
        while True:
            for attempt in attempts:
                if attempt._established:
                    return attempt
            if all(attempt._end for attempt in attempts):
                break
            if not mailbox.receive(next_address.remaining()) and next_address.is_over():
                break
        if untried and not given_up.is_over():
            continue
        raise not_connected(attempts[-1])


def _begin(
    mailbox: Mailbox, address: Address, options: Config, on_status_changed: StatusCallback | None, deadline: Deadline
) -> Connection:
    while True:
        try:
            connection = begin(Connection, mailbox, address, options, on_status_changed)
            break
        except ConnectionLimitError:
            # Closed connections count for 5 s: many short ones one after another can get here.
            if deadline.is_over():
                raise
            mailbox.receive(LIMIT_RETRY)
    return connection


def socket_pair(
    *, network: bool = False, identities: tuple[Identity | None, Identity | None] = (None, None)
) -> tuple[Connection, Connection]:
    """Two connected ends in this process, each for its own reader; neither reports CONNECTED, both are.

    network: over UDP on loopback, with encryption, rates and simulated faults, instead of in memory. identities: who
    each end is for the other. Errors: ConnectionLimitError, TypeError. Native: CreateSocketPair.
    """
    mailboxes = Mailbox(), Mailbox()
    handles = make_pair((mailboxes[0], mailboxes[1]), network, identities)
    first, second = (
        Connection(mailbox, handle, None, None) for mailbox, handle in zip(mailboxes, handles, strict=True)
    )
    adopt_pair(first, second)
    return first, second
