"""Listen sockets and connections: opening, accepting, closing."""

from __future__ import annotations

import errno
from dataclasses import fields
from typing import Any

from .._generated.enums import ConfigScope, ConfigValue
from ..address import Address
from ..config import Config, OptionValue
from ..errors import ConnectionLimitError
from ..limits import ConnectionLimits, LimitCounters
from .certificates import PeerPolicy, policy_struct
from .codes import LIMIT_EXCEEDED
from .failures import check, check_connection
from .library import ffi, lib
from .options import option_array


def listen(
    mailbox: int, address: Address, config: Config, limits: ConnectionLimits | None, policy: PeerPolicy | None = None
) -> int:
    """Open a listen socket and return its handle."""
    native = ffi.NULL if limits is None else _limits(limits)
    return _make(lib.gns_listen, mailbox, address, config.options_for(ConfigScope.LISTEN_SOCKET), policy, native)


def listen_counters(listen_socket: int) -> LimitCounters:
    """Return how many connections the limits of a listen socket have let in and refused."""
    counters = ffi.new("gns_limit_counters *")
    check(lib.gns_listen_counters(listen_socket, counters))
    return LimitCounters(*(getattr(counters, field) for field in LimitCounters._fields))


def connect(mailbox: int, address: Address, config: Config, policy: PeerPolicy | None = None) -> int:
    """Begin to connect and return the connection's handle."""
    return _make(lib.gns_connect, mailbox, address, config.options_for(ConfigScope.CONNECTION), policy)


def _make(
    function: Any,
    mailbox: int,
    address: Address,
    options: list[tuple[ConfigValue, OptionValue]],
    policy: PeerPolicy | None,
    *more: Any,
) -> int:
    handle = ffi.new("uint64_t *")
    native, keep = option_array(options)
    demanded, keep_too = policy_struct(policy)
    result = function(mailbox, _address(address), native, len(options), *more, demanded, handle)
    del keep, keep_too
    if result == LIMIT_EXCEEDED:
        raise limit_error()
    check(result)
    return int(handle[0])


def _limits(limits: ConnectionLimits) -> Any:
    native = ffi.new("gns_limits *")
    for field in fields(limits):
        value = getattr(limits, field.name)
        setattr(native, field.name, lib.GNS_NO_LIMIT if value is None else value)
    return native


def limit_error() -> ConnectionLimitError:
    """Return the exception for the lack of a place for one more connection."""
    return ConnectionLimitError(errno.EAGAIN, "this process has as many connections as GNS can have")


def listen_close(listen_socket: int, code: int, text: bytes, linger: bool) -> bool:
    """Close a listen socket and its connections. Return whether it was open; raise nothing."""
    return bool(lib.gns_listen_close(listen_socket, code, text, len(text), linger) >= 0)


def accept(connection: int, mailbox: int) -> None:
    """Accept an inbound connection, into another mailbox unless that is 0."""
    check_connection(lib.gns_accept(connection, mailbox))


def move(connection: int, mailbox: int) -> None:
    """Move a connection, with its pending events, to another mailbox."""
    check_connection(lib.gns_connection_move(connection, mailbox))


def close(connection: int, code: int, text: bytes, linger: bool) -> None:
    """Close a connection. Raise nothing: one that is gone needs no closing."""
    lib.gns_close(connection, code, text, len(text), linger)


def socket_pair(mailbox_a: int, mailbox_b: int, network: bool, identity_a: str, identity_b: str) -> tuple[int, int]:
    """Make two connected ends and return their handles. An empty identity means no identity."""
    handles = ffi.new("uint64_t[2]")
    a, b = identity_a.encode(), identity_b.encode()
    result = lib.gns_socket_pair(mailbox_a, mailbox_b, network, a, len(a), b, len(b), handles, handles + 1)
    if result == LIMIT_EXCEEDED:
        raise limit_error()
    check(result)
    return handles[0], handles[1]


def _address(address: Address) -> Any:
    out = ffi.new("gns_address *")
    out.ip = address.packed
    out.port = address.port
    return out
