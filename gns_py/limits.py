"""How many connections a listen socket lets in."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

_LARGEST = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """How many connections a listen socket lets in, of all addresses and of each. None: no limit.

    They hold in the native core, for those that have proved that they receive at their address, before keys are
    exchanged and before Python hears of them: a request that is refused costs some microseconds, and no connection. Its
    connect() fails soon, with 2004 RATE_LIMITED, after which trying again can help. A connection is half open until its
    peer has sent something that only the holder of its keys can send. An address is an IPv4 address, also where it
    comes in through an IPv6 socket, or an IPv6 network of 64 bits.
    Errors: TypeError, ValueError.
    """

    max_half_open: int | None = 512
    """Half-open connections at once. Beyond it, one that is older than 3 seconds gives way to a new one, so many in 3
    seconds. As many that ended half open may linger, so strangers never fill GNS's 8,191 places."""
    max_half_open_per_address: int | None = 256
    """Half-open connections of one address at once."""
    max_connections_per_address: int | None = 512
    """Connections of one address at once, half-open ones included."""
    rate_per_address: float | None = 32.0
    """Connections a second of one address, in the long run."""
    burst_per_address: int = 256
    """Connections of one address that may come faster than that."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            is_rate = field.name == "rate_per_address"
            if value is None and field.name != "burst_per_address":
                continue
            if not isinstance(value, int | float if is_rate else int) or isinstance(value, bool):
                wanted = "a number" if is_rate else "an int"
                raise TypeError(f"{field.name} must be {wanted}, not {type(value).__name__}")
            if is_rate and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{field.name} is {value}: it must be more than 0, or None for no limit")
            if not is_rate and not 1 <= value <= _LARGEST:
                raise ValueError(f"{field.name} is {value}: it must be from 1 to {_LARGEST}")


DEFAULT_LIMITS = ConnectionLimits()


class LimitCounters(NamedTuple):
    """What came of those that wanted a connection, since the listen socket was opened; all zero without limits."""

    admitted: int
    """Got a connection."""
    rate: int
    """Refused: connections of the address came too fast."""
    half_open: int
    """Refused: too many were half open."""
    half_open_per_address: int
    """Refused: too many of the address were half open."""
    connections_per_address: int
    """Refused: the address had too many connections."""
    gave_way: int
    """Got a connection, and lost it to a newer one, because nothing was heard of the peer."""


NOTHING_COUNTED = LimitCounters(0, 0, 0, 0, 0, 0)


def check_limits(limits: ConnectionLimits | None) -> None:
    """Checks what listen() and serve() are given. Errors: TypeError."""
    if limits is not None and not isinstance(limits, ConnectionLimits):
        raise TypeError(f"limits must be ConnectionLimits or None, not {type(limits).__name__}")
