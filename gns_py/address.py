"""Addresses: a numeric host and a port."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

_MAPPED_PREFIX = bytes(10) + b"\xff\xff"


class _HostAndPort(NamedTuple):
    host: str
    port: int


class Address(_HostAndPort):
    """An IP address and a UDP port: a ``(host, port)`` tuple that is valid and has one spelling for each address.

    Equal to the tuple of the two, with the same hash. IPv6 addresses are compressed and in lower case, and an
    IPv4-mapped one (``::ffff:1.2.3.4``) becomes IPv4.

    Args:
        host: A numeric IPv4 or IPv6 address.
        port: The port, 0 to 65535.

    Raises:
        TypeError: The host is not a str, or the port not an int.
        ValueError: The host is a name or has an IPv6 scope (``fe80::1%eth0``; GNS's addresses have no room for it),
            or the port is out of range.
    """

    __slots__ = ()

    def __new__(cls, host: str, port: int) -> Address:
        """Check the host and the port. See the class."""
        return super().__new__(cls, str(_numeric(host)), _checked_port(port))

    # _replace and copy.replace call this, and would not check otherwise. (mypy's own signature is too general.)
    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Address:  # type: ignore[override]
        return cls(*iterable)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return the address written as ``"1.2.3.4:27015"`` or ``"[::1]:27015"``, the form that ``str()`` returns.

        Args:
            text: The address and the port.

        Raises:
            TypeError: The text is not a str.
            ValueError: The text is not an address with a port; see the class.
        """
        return parse_address(text, default_port=None)

    @classmethod
    def from_packed(cls, packed: bytes, port: int) -> Address:
        """Return the address with the given bytes.

        Args:
            packed: The 16 bytes of an IPv6 address in network order; IPv4 is mapped.
            port: The port, 0 to 65535.

        Raises:
            ValueError: There are not 16 bytes, or the port is out of range.
        """
        if len(packed) != 16:
            raise ValueError(f"a packed address has 16 bytes, not {len(packed)}")
        return cls(str(ipaddress.IPv6Address(bytes(packed))), port)

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """The host as an object of the module ipaddress."""
        return ipaddress.ip_address(self.host)

    @property
    def packed(self) -> bytes:
        """The host as the 16 bytes of an IPv6 address in network order, IPv4 mapped, which is how GNS stores it."""
        packed = self.ip.packed
        return packed if len(packed) == 16 else _MAPPED_PREFIX + packed

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, default_port: int | None) -> Address:
    """Return Address.parse(text); with a default port, the port and an IPv6 address's brackets may be missing."""
    if not isinstance(text, str):
        raise TypeError(f"an address to parse must be a str, not {type(text).__name__}")
    if default_port is not None and text.count(":") > 1 and not text.startswith("["):
        return Address(text, default_port)
    found = re.fullmatch(r"(?:\[(?P<ipv6>[^\[\]]*:[^\[\]]*)\]|(?P<ipv4>[^\[\]:]*))(?::(?P<port>[0-9]{1,5}))?", text)
    if found is None or (found["port"] is None and default_port is None):
        raise ValueError(f'{text!r} is not an address with a port, like "1.2.3.4:27015" or "[::1]:27015"')
    port = default_port if found["port"] is None else int(found["port"])
    assert port is not None
    return Address(found["ipv4"] if found["ipv6"] is None else found["ipv6"], port)


def parse_host_and_port(text: str) -> tuple[str, int]:
    """Return the host, which may be a name, and the port of a text like ``"game.example:27015"`` or ``"[::1]:27015"``.

    Raises:
        TypeError: The text is not a str.
        ValueError: The text has another form, or the host is a mistyped address, or the port is 0 or out of range.
    """
    if not isinstance(text, str):
        raise TypeError(f"an address to parse must be a str, not {type(text).__name__}")
    found = re.fullmatch(r"(?:\[(?P<ipv6>[^\[\]]*:[^\[\]]*)\]|(?P<host>[^\[\]:\s\0]+)):(?P<port>[0-9]{1,5})", text)
    if found is None:
        raise ValueError(f'{text!r} is not a host with a port, like "game.example:27015" or "[::1]:27015"')
    host, port = found["ipv6"] or found["host"], _checked_port(int(found["port"]))
    if port == 0:
        raise ValueError(f"{text!r} has port 0, which is not a port to connect to")
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        host = str(_numeric(host))
    return host, port


def _numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if not isinstance(host, str):
        raise TypeError(f"host must be a str, not {type(host).__name__}")
    if "%" in host:
        raise ValueError(f"{host!r} has a scope (the part from % on), which GNS cannot use")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"{host!r} is not a numeric IPv4 or IPv6 address") from None
    return getattr(address, "ipv4_mapped", None) or address


def _checked_port(port: int) -> int:
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"port must be an int, not {type(port).__name__}")
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} is out of range: 0 to 65535")
    return int(port)
