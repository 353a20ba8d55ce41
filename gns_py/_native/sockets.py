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
from .codes import LIMIT_EXCEEDED
from .failures import check
from .library import ffi, lib
from .options import option_array


def listen(mailbox: int, address: Address, config: Config, limits: ConnectionLimits | None) -> int:
    native = ffi.NULL if limits is None else _limits(limits)
    return _make(lib.gns_listen, mailbox, address, config.options_for(ConfigScope.LISTEN_SOCKET), native)


def listen_counters(listen_socket: int) -> LimitCounters | int:
    counters = ffi.new("gns_limit_counters *")
    result: int = lib.gns_listen_counters(listen_socket, counters)
    return result or LimitCounters(*(getattr(counters, field) for field in LimitCounters._fields))


def connect(mailbox: int, address: Address, config: Config) -> int:
    return _make(lib.gns_connect, mailbox, address, config.options_for(ConfigScope.CONNECTION))


def _make(
    function: Any, mailbox: int, address: Address, options: list[tuple[ConfigValue, OptionValue]], *more: Any
) -> int:
    handle = ffi.new("uint64_t *")
    native, keep = option_array(options)
    result = function(mailbox, _address(address), native, len(options), *more, handle)
    del keep
    if result == LIMIT_EXCEEDED:
        raise _limit_error()
    check(result)
    return int(handle[0])


def _limits(limits: ConnectionLimits) -> Any:
    native = ffi.new("gns_limits *")
    for field in fields(limits):
        value = getattr(limits, field.name)
        setattr(native, field.name, lib.GNS_NO_LIMIT if value is None else value)
    return native


def _limit_error() -> ConnectionLimitError:
    return ConnectionLimitError(errno.EAGAIN, "this process has as many connections as GNS can have")


def listen_close(listen_socket: int, code: int, text: bytes, linger: bool) -> int:
    return int(lib.gns_listen_close(listen_socket, code, text, len(text), linger))


def accept(connection: int, mailbox: int) -> int:
    return int(lib.gns_accept(connection, mailbox))


def move(connection: int, mailbox: int) -> int:
    return int(lib.gns_connection_move(connection, mailbox))


def close(connection: int, code: int, text: bytes, linger: bool) -> int:
    return int(lib.gns_close(connection, code, text, len(text), linger))


def socket_pair(mailbox_a: int, mailbox_b: int, network: bool, identity_a: str, identity_b: str) -> tuple[int, int]:
    handles = ffi.new("uint64_t[2]")
    a, b = identity_a.encode(), identity_b.encode()
    result = lib.gns_socket_pair(mailbox_a, mailbox_b, network, a, len(a), b, len(b), handles, handles + 1)
    if result == LIMIT_EXCEEDED:
        raise _limit_error()
    check(result)
    return handles[0], handles[1]


def _address(address: Address) -> Any:
    out = ffi.new("gns_address *")
    out.ip = address.packed
    out.port = address.port
    return out
