"""Host names to addresses, with the system's resolver."""

from __future__ import annotations

import re
import socket

from ..address import Address


def is_numeric(host: str) -> bool:
    """Return whether `host` looks like a numeric address, so that a mistyped address is not sent to the resolver."""
    return ":" in host or re.fullmatch(r"[0-9.]+", host) is not None


def resolve(host: str, port: int) -> list[Address]:
    """Return the host's addresses without duplicates, IPv4 first. Never empty.

    A numeric host is not looked up; an empty one stands for all addresses of this machine, "0.0.0.0" and "::". A name
    goes to the system's resolver, which blocks, for seconds if need be: call this in a thread of its own where that
    matters. IPv6 addresses that need a scope are left out.

    Raises:
        TypeError: ``host`` is not a str, or ``port`` is not an int.
        ValueError: The host is a mistyped address or has a NUL byte, or the port is out of range.
        socket.gaierror: The resolver knows no usable address. An OSError, with the name in its text.
    """
    if not isinstance(host, str):
        raise TypeError(f"host must be a str, not {type(host).__name__}")
    if "\0" in host:
        raise ValueError(f"host {host!r} has a NUL byte")
    everywhere = [Address("0.0.0.0", port), Address("::", port)]  # which checks the port
    if not host:
        return everywhere
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
