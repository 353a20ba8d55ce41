"""connect(): names, addresses, time limits."""

from __future__ import annotations

import math

from .. import _native, runtime
from ..address import Address, resolve
from ..config import Config
from ..endpoint import StatusCallback, check_options
from ..enums import EndReason
from ..errors import ConnectionLimitError, ConnectTimeout, connect_failed
from ..events import ClosedBy, ConnectionEnd
from ..identity import Identity
from ..runtime import Mailbox
from ..stats import ConnectionInfo
from .connection import Connection
from .deadline import Deadline

# A name's next address is tried when the one before has not answered for so long (RFC 8305 says 0.25 s).
_NEXT_ADDRESS = 0.25
# For GNS to report its own time-out, which says more than ours.
_GRACE = 1.0
_MAX_TIMEOUT_MS = 2**31 - 1
_LIMIT_RETRY = 0.05


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
    addresses, the next one is tried after 0.25 s without an answer. timeout: seconds until it must be connected, None
    for no limit; it is also timeout_initial, unless config has one. on_status_changed: called with each StatusChanged,
    from NONE -> CONNECTING on, by the thread that reads, that is inside of connect(), recv() and so on; messages may be
    sent from the first one on. wait: False returns at once, still CONNECTING (only a host with one address), for loops
    that poll().
    Errors: ConnectTimeout (a TimeoutError), ConnectFailed (refused: see its end), ConnectionLimitError, OSError (the
    name cannot be resolved), TypeError, ValueError. Native: ConnectByIPAddress.
    """
    options = check_options(config, on_status_changed)
    Deadline(timeout)  # checks it: the time runs from below
    addresses = resolve(host, port)
    if port == 0:
        raise ValueError("port 0 is not a port to connect to")
    if options.timeout_initial is None:
        milliseconds = _MAX_TIMEOUT_MS if timeout is None else math.ceil(min(timeout * 1000, _MAX_TIMEOUT_MS))
        options = Config(timeout_initial=milliseconds) | options
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
    given_up = Deadline(None)
    remaining = deadline.remaining()
    if remaining is not None:
        given_up = Deadline(remaining + _GRACE)
    while True:
        if untried:
            attempts.append(_begin(mailbox, untried.pop(0), options, on_status_changed, deadline))
        next_address = Deadline(_NEXT_ADDRESS if untried else given_up.remaining())
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
        last = attempts[-1]
        if last._end is None:
            raise ConnectTimeout(ConnectionEnd(ClosedBy.LOCAL, EndReason.MISC_TIMEOUT, "not connected in time"))
        raise connect_failed(last._end)


def _begin(
    mailbox: Mailbox, address: Address, options: Config, on_status_changed: StatusCallback | None, deadline: Deadline
) -> Connection:
    while True:
        try:
            handle = _native.connect(mailbox.handle, address, options)
            break
        except ConnectionLimitError:
            # Closed connections count for 5 s: many short ones one after another can get here.
            if deadline.is_over():
                raise
            mailbox.receive(_LIMIT_RETRY)
    info = _native.info(handle)
    connection = Connection(mailbox, handle, info if isinstance(info, ConnectionInfo) else None, on_status_changed)
    mailbox.add(connection)
    return connection


def socket_pair(
    *, network: bool = False, identities: tuple[Identity | None, Identity | None] = (None, None)
) -> tuple[Connection, Connection]:
    """Two connected ends in this process, each for its own reader; neither reports CONNECTED, both are.

    network: over UDP on loopback, with encryption, rates and simulated faults, instead of in memory. identities: who
    each end is for the other. Errors: ConnectionLimitError, TypeError. Native: CreateSocketPair.
    """
    first, second = identities
    for identity in (first, second):
        if identity is not None and not isinstance(identity, Identity):
            raise TypeError(f"an identity must be an Identity or None, not {type(identity).__name__}")
    mailboxes = Mailbox(), Mailbox()
    handles = _native.socket_pair(
        mailboxes[0].handle,
        mailboxes[1].handle,
        network,
        "" if first is None else str(first),
        "" if second is None else str(second),
    )
    ends = []
    for mailbox, handle in zip(mailboxes, handles, strict=True):
        end = Connection(mailbox, handle, None, None)
        end._established = True
        mailbox.add(end)
        ends.append(end)
    runtime.dispatch_logs()
    return ends[0], ends[1]
