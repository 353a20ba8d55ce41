"""Checks that all signallings make before they send."""

from __future__ import annotations

from ..._generated.enums import IdentityType
from ...identity import Identity
from .signalling import MAX_SIGNAL


def check_signal(to: Identity, signal: bytes, limit: int = MAX_SIGNAL) -> None:
    """Check the arguments of ``Signalling.send()``.

    Args:
        to: The receiver.
        signal: The signal.
        limit: The largest signal, in bytes, that the service takes.

    Raises:
        TypeError: A value is of another type.
        ValueError: The signal is too large or empty, or the receiver is the invalid identity.
    """
    if not isinstance(to, Identity):
        raise TypeError(f"the receiver must be an Identity, not {type(to).__name__}")
    if to.type is IdentityType.INVALID:
        raise ValueError("the invalid identity has no peer")
    if not isinstance(signal, bytes):
        raise TypeError(f"a signal must be bytes, not {type(signal).__name__}")
    if not 1 <= len(signal) <= limit:
        raise ValueError(f"a signal must have 1 to {limit} bytes, not {len(signal)}")
