"""What connect() and socket_pair() of all APIs share. Nothing in here waits."""

from __future__ import annotations

import contextlib
import errno
import math
import socket
from collections.abc import Callable
from typing import TypeVar

from .. import _native
from .._generated.enums import EndReason
from ..address import Address
from ..config import Config
from ..errors import ConnectFailed, ConnectionClosed, ConnectTimeout, connect_failed
from ..events import ClosedBy, ConnectionEnd
from ..identity import Identity
from ..stats import ConnectionInfo
from . import runtime
from .callbacks import in_context
from .deadline import Deadline
from .endpoint import C, Endpoint, StatusCallback, check_options
from .runtime import Mailbox

M = TypeVar("M", bound=Mailbox)

NEXT_ADDRESS = 0.25
"""A name's next address is tried when the one before has not answered for so long (RFC 8305 says 0.25 s)."""
GRACE = 1.0
"""For GNS to report its own time-out, which says more than ours."""
LIMIT_RETRY = 0.05
"""Closed connections count for 5 s: many short ones one after another can reach GNS's limit for a while."""
_MAX_TIMEOUT_MS = 2**31 - 1
# What listens at these is reached there, in this order: "::" is for both families.
_LOOPBACK = {"0.0.0.0": ("127.0.0.1",), "::": ("::1", "127.0.0.1")}


def connect_options(
    port: int, timeout: float | None, config: Config | None, on_status_changed: StatusCallback | None
) -> Config:
    """The arguments of connect(), checked; the options, with the timeout as GNS's own unless they have one."""
    options = check_options(config, on_status_changed)
    Deadline(timeout)  # checks it: the time does not run yet
    if port == 0:
        raise ValueError("port 0 is not a port to connect to")
    if options.timeout_initial is None:
        milliseconds = _MAX_TIMEOUT_MS if timeout is None else math.ceil(min(timeout * 1000, _MAX_TIMEOUT_MS))
        options = Config(timeout_initial=milliseconds) | options
    return options


def reachable(addresses: list[Address]) -> list[Address]:
    """Those that the system has a way to. Errors: OSError, if it has none to any of them.

    What listens at all addresses of this machine is reached at loopback, as it is with TCP on most systems.
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
    make: Callable[[M, int, ConnectionInfo | None, StatusCallback | None], C],
    mailbox: M,
    address: Address,
    options: Config,
    on_status_changed: StatusCallback | None,
) -> C:
    """A connection that has begun to connect. Errors: ConnectionLimitError, for a while (LIMIT_RETRY)."""
    if on_status_changed is not None:
        on_status_changed = in_context("on_status_changed", on_status_changed)
    handle = _native.connect(mailbox.handle, address, options)
    info = _native.info(handle)
    connection = make(mailbox, handle, info if isinstance(info, ConnectionInfo) else None, on_status_changed)
    mailbox.add(connection)
    return connection


def not_connected(last_attempt: Endpoint) -> ConnectFailed:
    """The exception for a connect() that has come to nothing."""
    if last_attempt._end is None:
        return ConnectTimeout(ConnectionEnd(ClosedBy.LOCAL, EndReason.MISC_TIMEOUT, "not connected in time"))
    return connect_failed(last_attempt._end)


def make_pair(
    mailboxes: tuple[Mailbox, Mailbox], network: bool, identities: tuple[Identity | None, Identity | None]
) -> tuple[int, int]:
    """The handles of two connected ends."""
    first, second = identities
    for identity in (first, second):
        if identity is not None and not isinstance(identity, Identity):
            raise TypeError(f"an identity must be an Identity or None, not {type(identity).__name__}")
    return _native.socket_pair(
        mailboxes[0].handle,
        mailboxes[1].handle,
        network,
        "" if first is None else str(first),
        "" if second is None else str(second),
    )


def adopt_pair(first: Endpoint, second: Endpoint) -> None:
    """What connections that are connected from the beginning need."""
    for end in (first, second):
        end._established = True
        end._mailbox.add(end)
        with contextlib.suppress(ConnectionClosed):  # stopped meanwhile
            end.info()  # for its repr(), which does not ask GNS
    runtime.dispatch_logs()
