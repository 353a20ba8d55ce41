"""The lines of the protocol that GNS's own example for P2P uses, to and from bytes."""

from __future__ import annotations

import re

from ..._generated.enums import IdentityType
from ...identity import Identity
from .fields import MAX_IDENTITY
from .signalling import MAX_SIGNAL, Signal

MAX_LINE = MAX_IDENTITY + 2 * MAX_SIGNAL + 3
"""The longest line in bytes, with its end."""


class LineError(ValueError):
    """A line is malformed."""


def check_identity(identity: Identity) -> None:
    """Raise ValueError if an identity cannot be in a line: its text has a blank, or it is the invalid one."""
    text = str(identity)
    if identity.type is IdentityType.INVALID or re.search(r"\s", text) or not text.isprintable():
        raise ValueError(f"{text!r} cannot be used in the line protocol, which separates by blanks")


def hello(identity: Identity) -> bytes:
    """Return the first line of a client."""
    return f"{identity}\n".encode()


def line(identity: Identity, data: bytes) -> bytes:
    """Return a line with a signal: with its receiver from a client, with its sender from a server."""
    return f"{identity} {data.hex()}\n".encode()


def parse_hello(text: bytes) -> Identity:
    """Return the identity in the first line of a client.

    Raises:
        LineError: It is not one.
    """
    try:
        identity = Identity.parse(text.decode().rstrip("\r\n"))
        check_identity(identity)
    except ValueError as error:
        raise LineError(f"not an identity: {error}") from None
    return identity


def parse(text: bytes) -> Signal:
    """Return the identity and the data in a line, which need not end.

    Raises:
        LineError: It is malformed.
    """
    name, _, data = text.rstrip(b"\r\n").partition(b" ")
    identity = parse_hello(name)
    if not re.fullmatch(rb"(?:[0-9a-fA-F]{2})+", data) or len(data) > 2 * MAX_SIGNAL:
        raise LineError(f"1 to {MAX_SIGNAL} bytes in hex digits must follow the identity")
    return Signal(identity, bytes.fromhex(data.decode()))
