"""Addresses: a numeric host and a port, and the look-up of names."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple

_MAPPED_PREFIX = bytes(10) + b"\xff\xff"


class _HostAndPort(NamedTuple):
    host: str
    port: int


class Address(_HostAndPort):
    """An IP address and a UDP port: a ``(host, port)`` tuple that is valid and has one spelling for each address.

    ``host`` is numeric, IPv4 or IPv6; IPv6 is compressed and in lower case, and an IPv4-mapped one (``::ffff:1.2.3.4``)
    becomes IPv4. ``port`` is 0 to 65535. Equal to, and hashed like, the tuple of the two.

    TypeError: the host is no str, the port no int. ValueError: a name instead of an address, an IPv6 scope
    (``fe80::1%eth0``; GNS's addresses have no room for it), a port out of range.
    """

    __slots__ = ()

    def __new__(cls, host: str, port: int) -> Address:
        return super().__new__(cls, str(_numeric(host)), _checked_port(port))

    # Behind _replace and copy.replace as well, which would not check otherwise. (mypy's own idea of it is too general.)
    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Address:  # type: ignore[override]
        return cls(*iterable)

    @classmethod
    def parse(cls, text: str) -> Address:
        """From ``"1.2.3.4:27015"`` or ``"[::1]:27015"``, as ``str()`` writes it. Errors: as the class's."""
        return parse_address(text, default_port=None)

    @classmethod
    def from_packed(cls, packed: bytes, port: int) -> Address:
        """From the 16 bytes of an IPv6 address in network order, IPv4 mapped. ValueError: not 16 bytes."""
        if len(packed) != 16:
            raise ValueError(f"a packed address has 16 bytes, not {len(packed)}")
        return cls(str(ipaddress.IPv6Address(bytes(packed))), port)

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """The host as an object of the standard library."""
        return ipaddress.ip_address(self.host)

    @property
    def packed(self) -> bytes:
        """The host as the 16 bytes of an IPv6 address in network order, IPv4 mapped: what GNS stores."""
        packed = self.ip.packed
        return packed if len(packed) == 16 else _MAPPED_PREFIX + packed

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_numeric(host: str) -> bool:
    """Whether it is meant as an address: a typing error in one must not become a question to the resolver."""
    return ":" in host or re.fullmatch(r"[0-9.]+", host) is not None


def resolve(host: str, port: int) -> list[Address]:
    """The addresses that a host has, IPv4 first, each once, at least one.

    A numeric host is not looked up; an empty one stands for all addresses of this machine, "0.0.0.0" and "::". A name
    goes to the system's resolver, which blocks, for seconds if need be: call it in a thread of its own where that
    matters. IPv6 addresses that need a scope are left out.

    Errors: TypeError and ValueError as for ``Address``, and for a host with a NUL byte; socket.gaierror
    (an OSError) with the name in its text where the resolver knows no usable address.
    """
    if not isinstance(host, str):
        raise TypeError(f"host must be a str, not {type(host).__name__}")
    if "\0" in host:
        raise ValueError(f"host {host!r} has a NUL byte")
    _checked_port(port)
    if not host:
        return [Address("0.0.0.0", port), Address("::", port)]
    if is_numeric(host):
        return [Address(host, port)]
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except socket.gaierror as error:
        raise socket.gaierror(error.errno, f"cannot resolve {host!r}: {error.strerror}") from error
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, f"cannot resolve {host!r}: {error}") from error
    # The first of an IPv6 answer's four members is the host, the last the scope.
    found = [
        (family != socket.AF_INET, Address(str(where[0]), port))
        for family, *_, where in answers
        if family == socket.AF_INET or (family == socket.AF_INET6 and not where[-1])
    ]
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, f"cannot resolve {host!r}: it has no usable IPv4 or IPv6 address")
    # Sorting is stable: within a family the resolver's order, which is its preference, stays.
    return list(dict.fromkeys(address for _, address in sorted(found, key=lambda answer: answer[0])))


def parse_address(text: str, default_port: int | None) -> Address:
    """As ``Address.parse``; with a default port, the port and an IPv6 address's brackets may be missing."""
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
