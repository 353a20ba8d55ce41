"""Limits on the connections that a listen socket lets in."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

_LARGEST = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """How many connections a listen socket lets in, in total and per address. None means no limit.

    The native core applies them to clients that have proved that they receive at their address, before keys are
    exchanged and before Python is involved: refusing a request takes microseconds and no connection. The client's
    connect() soon fails with 2004 RATE_LIMITED, after which trying again can help. A connection is half open until its
    peer has sent something that only the holder of its keys can send. An address is an IPv4 address, even if the client
    uses it through an IPv6 socket, or an IPv6 network of 64 bits.

    Raises:
        TypeError: A limit is not a number.
        ValueError: A limit is out of range.
    """

    max_half_open: int | None = 512
    """Half-open connections at once. When the limit is reached, a connection older than 3 seconds gives way to a new
    one, for at most this many in 3 seconds. The same number of connections that ended half open may linger, so
    strangers can never fill GNS's 8,191 places."""
    max_half_open_per_address: int | None = 256
    """Half-open connections from one address at once."""
    max_connections_per_address: int | None = 512
    """Connections from one address at once, including half-open ones."""
    rate_per_address: float | None = 32.0
    """Connections per second from one address, on average."""
    burst_per_address: int = 256
    """Connections from one address that may arrive faster than rate_per_address."""

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
    """Counts of connections let in and refused since the listen socket was opened; all zero without limits."""

    admitted: int
    """Clients that got a connection."""
    rate: int
    """Refused because connections from the address arrived too fast."""
    half_open: int
    """Refused because too many connections were half open."""
    half_open_per_address: int
    """Refused because too many connections from the address were half open."""
    connections_per_address: int
    """Refused because the address had too many connections."""
    gave_way: int
    """Admitted, but closed in favour of a newer connection because nothing was received from the peer."""


NOTHING_COUNTED = LimitCounters(0, 0, 0, 0, 0, 0)


def check_limits(limits: ConnectionLimits | None) -> None:
    """Raise TypeError if `limits`, as given to listen() or serve(), has the wrong type."""
    if limits is not None and not isinstance(limits, ConnectionLimits):
        raise TypeError(f"limits must be ConnectionLimits or None, not {type(limits).__name__}")
