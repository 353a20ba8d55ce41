"""The checks of a server's plan to shut down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import inf
from typing import TypeAlias

from ..._core.deadline import Deadline
from ..protocol.departure import Departure
from ..protocol.frames import MAX_ADDRESSES
from .checks import check_text

Redirect: TypeAlias = Iterable[str | tuple[str, int]]
"""Other servers: "host:port", or (host, port)."""

_MAX_SIZE = 255
# A name or an IPv4 address, or an IPv6 address in brackets; then the port.
_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+):([0-9]{1,5})")


def plan_departure(deadline: float | None, redirect: Redirect, text: str) -> Departure:
    """Check the arguments of drain().

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: The deadline is negative, the text too long, or an address is not one, or there are too many.
    """
    expires = Deadline(deadline, "deadline").expires
    check_text(text)
    return Departure(inf if expires is None else expires, text, _check_redirect(redirect))


def _check_redirect(redirect: Redirect) -> tuple[str, ...]:
    if isinstance(redirect, str | bytes) or not isinstance(redirect, Iterable):
        raise TypeError(f"redirect must be a sequence of addresses, not {type(redirect).__name__}")
    addresses = tuple(map(_check_address, redirect))
    if len(addresses) > MAX_ADDRESSES:
        raise ValueError(f"redirect has {len(addresses)} addresses: at most {MAX_ADDRESSES} are allowed")
    return addresses


def _check_address(address: str | tuple[str, int]) -> str:
    if isinstance(address, tuple) and len(address) == 2 and isinstance(address[0], str):
        host, port = address
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if not isinstance(address, str):
        raise TypeError(f'an address is "host:port" or (host, port), not {address!r}')
    found = _ADDRESS.fullmatch(address)
    if found is None or not 1 <= int(found[1]) <= 65535 or len(address.encode()) > _MAX_SIZE:
        raise ValueError(f'{address!r} is not an address, like "game2.example:27015" or "[::1]:27015"')
    return address
