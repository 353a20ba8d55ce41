"""Messages of the signalling protocol within unreliable messages of a connection or a session."""

from __future__ import annotations

from collections.abc import Collection

from .fields import WireError
from .wire import Error, HelloRelay, Message, Ping, Pong, Received, Send, Welcome, decode

PREFIX = b"\xf0GNSsig\xff"
"""What they begin with, so that they are not taken for messages of the application: it is no text in any case."""
MAX_SIZE = 16_384
"""The longest one in bytes, with the prefix. GNS makes longer ones than 16,500 bytes reliable."""
FROM_CLIENT: frozenset[int] = frozenset(kind.KIND for kind in (HelloRelay, Send, Ping))
FROM_RELAY: frozenset[int] = frozenset(kind.KIND for kind in (Welcome, Received, Pong, Error))


def wrap(message: Message) -> bytes:
    """Return the bytes to be sent. None of these kinds can be too long.

    Raises:
        WireError: A value is beyond its limits.
    """
    return PREFIX + message.encode()


def is_hello(data: bytes) -> bool:
    """Return whether these bytes, which begin with the prefix, can only be HELLO_RELAY."""
    return len(data) == len(PREFIX) + 2 and data[-1] == HelloRelay.KIND


def unwrap(data: bytes, kinds: Collection[int]) -> Message:
    """Return the message in bytes that begin with the prefix.

    Args:
        data: The bytes.
        kinds: The kinds that may arrive.

    Raises:
        WireError: It is malformed, or of another kind.
    """
    if len(data) > MAX_SIZE:
        raise WireError(f"a message of {len(data)} bytes is too long for a relay")
    message = decode(data[len(PREFIX) :])
    if message.KIND not in kinds:
        raise WireError(f"{type(message).__name__} is not sent this way")
    return message
