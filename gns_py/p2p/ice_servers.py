"""The servers with which peers find a route to each other: STUN and TURN."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Literal, TypeAlias, get_args

from .._printable import printable
from ..address import parse_host_and_port

IcePolicy: TypeAlias = Literal["all", "relay", "no-public-address"]
MAX_SERVERS = 8
"""The largest number of servers of each kind."""
MAX_USERNAME = 500
MAX_PASSWORD = 255
_SCHEMES = ("stun:", "stuns:", "turn:", "turns:")


@dataclass(frozen=True, slots=True)
class Turn:
    """A TURN server, which relays packets between peers that find no direct route, and the credentials for it.

    ``repr()`` does not show the password.

    Args:
        address: Host and port of its UDP socket, such as ``"turn.example.org:3478"`` or ``"[2001:db8::1]:3478"``.
        username: The user, 1 to 500 bytes of UTF-8.
        password: The password, 1 to 255 bytes of UTF-8.
        expires: When the credentials end, with a time zone; None if they do not.

    Raises:
        TypeError: A value is of another type.
        ValueError: The address has no port, or is not one; or there is a comma or an unprintable character in the user
            or the password, which GNS has no way to be told; or *expires* has no time zone.
    """

    address: str
    username: str
    password: str = field(repr=False)
    expires: datetime | None = None

    def __post_init__(self) -> None:
        _check_address(self.address, "TURN")
        _check_text("username", self.username, MAX_USERNAME)
        _check_text("password", self.password, MAX_PASSWORD)
        if not isinstance(self.expires, datetime | None):
            raise TypeError(f"expires must be a datetime or None, not {type(self.expires).__name__}")
        if self.expires is not None and self.expires.utcoffset() is None:
            raise ValueError("expires must have a time zone, such as datetime.now(timezone.utc) has")

    def is_expired(self, now: datetime | None = None) -> bool:
        """Return whether the credentials have ended.

        Args:
            now: The time, with a time zone; None for the system's.
        """
        return self.expires is not None and self.expires <= (now or datetime.now(timezone.utc))


@dataclass(frozen=True, slots=True, init=False)
class IceServers:
    """The servers that help to find a route to a peer, and which routes are wanted: an immutable value.

    Args:
        stun: STUN servers, which show each peer its public address: host and port of each, at most 8.
        turn: TURN servers, which relay where there is no direct route: at most 8.
        policy: ``"all"`` for the best route; ``"relay"`` for relayed routes only, so that the peer learns no address of
            this program's; ``"no-public-address"`` for routes in the same network, else relayed ones, so that the peer
            learns no public address.

    Raises:
        TypeError: A value is of another type.
        ValueError: An address is not one or has no port, there are too many servers, the policy does not exist, or it
            is ``"relay"`` and there is no TURN server.
    """

    stun: tuple[str, ...]
    turn: tuple[Turn, ...]
    policy: IcePolicy

    def __init__(self, stun: Iterable[str] = (), turn: Iterable[Turn] = (), policy: IcePolicy = "all") -> None:
        if isinstance(stun, str):
            raise TypeError("stun must be several addresses: put a single one into a list")
        if isinstance(turn, Turn):
            raise TypeError("turn must be several servers: put a single one into a list")
        stun, turn = tuple(stun), tuple(turn)
        for name, servers in (("STUN", stun), ("TURN", turn)):
            if len(servers) > MAX_SERVERS:
                raise ValueError(f"there are {len(servers)} {name} servers: {MAX_SERVERS} are the most")
        for address in stun:
            _check_address(address, "STUN")
        for server in turn:
            if not isinstance(server, Turn):
                raise TypeError(f"a TURN server must be a Turn, not {type(server).__name__}")
        if policy not in get_args(IcePolicy):
            raise ValueError(f"{policy!r} is not a policy: {', '.join(map(repr, get_args(IcePolicy)))}")
        if policy == "relay" and not turn:
            raise ValueError("the policy 'relay' needs a TURN server: without one there are no routes at all")
        object.__setattr__(self, "stun", stun)
        object.__setattr__(self, "turn", turn)
        object.__setattr__(self, "policy", policy)

    @property
    def expires(self) -> datetime | None:
        """When the first TURN credentials end; None if none do."""
        return min((each.expires for each in self.turn if each.expires is not None), default=None)


def check_ice_servers(servers: object) -> None:
    """Raise TypeError unless these are IceServers or None."""
    if not isinstance(servers, IceServers | None):
        raise TypeError(f"ice_servers must be IceServers or None, not {type(servers).__name__}")


def _check_address(address: str, kind: str) -> None:
    if not isinstance(address, str):
        raise TypeError(f"the address of a {kind} server must be a str, not {type(address).__name__}")
    for scheme in _SCHEMES:
        if address.startswith(scheme):
            raise ValueError(f'{address!r} is a URI: write host and port alone, like "ice.example.org:3478"')
    try:
        host, _ = parse_host_and_port(address)
    except ValueError:
        raise ValueError(
            f'{address!r} is not the address of a {kind} server, like "ice.example.org:3478" or "[2001:db8::1]:3478"'
        ) from None
    if len(host.encode(errors="replace")) > 255 or "," in host or not host.isprintable():
        raise ValueError(f"{printable(host[:300])!r} is not the host of a {kind} server")


def _check_text(name: str, text: str, maximum: int) -> None:
    """Check a user or a password. Messages of errors do not show it."""
    if not isinstance(text, str):
        raise TypeError(f"the {name} must be a str, not {type(text).__name__}")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the {name} cannot be encoded as UTF-8") from None
    if not 1 <= size <= maximum:
        raise ValueError(f"the {name} must have 1 to {maximum} bytes, not {size}")
    if "," in text or not text.isprintable():
        raise ValueError(f"the {name} must have no comma and no unprintable character")
