"""How much clients may do: rates and sizes of a signalling server."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass, fields
from typing import Generic, TypeVar

from .signalling import MAX_SIGNAL
from .wire import MAX_CAPACITY

K = TypeVar("K")

_INFINITE = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignallingLimits:
    """The limits of a signalling server. Everything that a client can make grow has one.

    A client that sends too fast is not read for a while; no one else waits for it.

    Raises:
        TypeError: A value is not a number.
        ValueError: A value is out of range.
    """

    max_signal: int = 4096
    """The largest signal in bytes, at most 8,192. Larger ones are dropped. GNS's own have 30 to 450, those of
    hosts with many addresses 2,000, and none has more than 4,096."""
    signals_per_second: float = 20.0
    """The rate of signals from one client in the long run."""
    signal_burst: int = 40
    """The number of signals that a client may send at once."""
    signal_queue: int = 64
    """The number of signals that wait for a client that reads slowly; of the sender that has the most among them, the
    oldest one is dropped."""
    rooms_per_client: int = 8
    """The number of rooms that a client may be in."""
    max_capacity: int = 64
    """The largest number of members of a room, at most 256."""
    max_rooms: int = 10_000
    """The number of rooms of the server."""
    room_requests_per_second: float = 2.0
    """The rate of requests to create or join a room, and of those for ICE servers, from one client in the long run."""
    room_request_burst: int = 24
    """The number of such requests that a client may send at once."""
    failed_joins_per_second: float = 0.1
    """The rate at which an identity may try names of rooms that do not exist. More are answered in the same way,
    whether the room exists or not, so that codes cannot be guessed. Creating a room whose name could be a code counts,
    too."""
    failed_join_burst: int = 10
    """The number of such attempts that an identity may make at once."""
    max_clients: int = 10_000
    """The number of connections, those that have not logged in included. It is lower where the system's limit of open
    descriptors (``ulimit -n``) is, less 160 for other uses."""
    connects_per_second: float = 5.0
    """The rate of connections from one address (an IPv6 network of 64 bits) in the long run."""
    connect_burst: int = 40
    """The number of connections that one address may open at once."""
    hello_timeout: float = 10.0
    """The seconds in which a client must have logged in."""
    send_timeout: float = 20.0
    """The seconds for which a client may take nothing of what is sent to it."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            whole = each.type == "int"
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                kind = "an int" if whole else "a number"
                raise TypeError(f"{each.name} must be {kind}, not {type(value).__name__}")
            if not 0 < value < _INFINITE:
                raise ValueError(f"{each.name} must be above 0 and finite, not {value}")
        for name, maximum in (("max_signal", MAX_SIGNAL), ("max_capacity", MAX_CAPACITY)):
            if getattr(self, name) > maximum:
                raise ValueError(f"{name} must be at most {maximum}, not {getattr(self, name)}")


class Bucket:
    """A token bucket: full at first, it loses a token with each event, and gains them at a constant rate.

    Args:
        rate: Tokens per second.
        burst: The number of tokens when it is full.
        now: The time.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def delay(self, now: float) -> float:
        """Return the seconds until there is a token: 0 if there is one."""
        self._fill(now)
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self._rate

    def take(self, now: float) -> bool:
        """Take a token, and return True; return False if there was no token to take."""
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(float(self._burst), self._tokens + (now - self._at) * self._rate)
            self._at = now


class Buckets(Generic[K]):
    """A bucket for each of many, of which the least recently used ones are forgotten.

    Args:
        rate: Tokens per second of each.
        burst: The number of tokens of each when it is full.
        capacity: The number of buckets that are kept.
    """

    def __init__(self, rate: float, burst: int, capacity: int = 10_000) -> None:
        self._rate = rate
        self._burst = burst
        self._capacity = capacity
        self._buckets: OrderedDict[K, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: K, now: float) -> bool:
        """Take a token of a key's bucket, and return True; return False if there was no token to take."""
        return self._of(key, now).take(now)

    def has_one(self, key: K, now: float) -> bool:
        """Return whether there is a token in a key's bucket."""
        bucket = self._buckets.get(key)
        return bucket is None or bucket.delay(now) == 0

    def _of(self, key: K, now: float) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._burst, now)
            if len(self._buckets) > self._capacity:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket


def network_of(address: str) -> str:
    """Return the network that counts as one client's: an IPv4 address itself, 64 bits of an IPv6 address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address  # of a Unix socket, say
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
