"""The peer that a program expects at the other end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..identity import Identity
from .format import KEY_SIZE


@dataclass(frozen=True, slots=True, init=False)
class Expect:
    """The identity or the keys that the peer of a connection must have, or it is refused in the handshake.

    Both are compared, if both are given. A key that is pinned needs no certificate authority.

    Args:
        identity: The peer's identity, such as ``"str:eu-west-1"``; None for any.
        keys: The public keys of which the peer must have one, each as 32 bytes or as hex digits; empty for any.

    Raises:
        TypeError: A value is of another type.
        ValueError: Nothing is expected, or a value is not an identity or a key.
    """

    identity: Identity | None
    keys: tuple[bytes, ...]

    def __init__(self, identity: Identity | str | None = None, keys: Iterable[bytes | str] = ()) -> None:
        if isinstance(identity, str):
            identity = Identity.parse(identity)
        if not isinstance(identity, Identity | None):
            raise TypeError(f"an identity must be an Identity or a str, not {type(identity).__name__}")
        if isinstance(keys, bytes | str):
            raise TypeError("keys must be several keys: put a single one into a list")
        pinned = tuple(map(_key, keys))
        if identity is None and not pinned:
            raise ValueError("expect an identity, keys, or both")
        object.__setattr__(self, "identity", identity)
        object.__setattr__(self, "keys", pinned)


def _key(key: bytes | str) -> bytes:
    if isinstance(key, str):
        try:
            key = bytes.fromhex(key)
        except ValueError:
            raise ValueError(f"{key!r} is not a key in hex digits") from None
    if not isinstance(key, bytes):
        raise TypeError(f"a key must be bytes or a str, not {type(key).__name__}")
    if len(key) != KEY_SIZE:
        raise ValueError(f"a key has {KEY_SIZE} bytes, not {len(key)}")
    return key
