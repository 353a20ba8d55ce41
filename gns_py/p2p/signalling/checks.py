"""Checks of signallings, and those that all signallings make before they send."""

from __future__ import annotations

from ..._generated.enums import IdentityType
from ...identity import Identity
from .signalling import MAX_SIGNAL
from .wire import MAX_CAPACITY, MAX_ROOM_NAME


def check_signalling(signalling: object) -> None:
    """Raise TypeError unless this object looks like a Signalling."""
    if isinstance(signalling, type) or not (hasattr(signalling, "send") and hasattr(signalling, "__aiter__")):
        kind = f"the class {signalling.__name__}" if isinstance(signalling, type) else type(signalling).__name__
        raise TypeError(f"the signalling must be one, such as a WebSocketSignalling, not {kind}")


def check_timeout(timeout: object) -> None:
    """Check a number of seconds to wait.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not above 0, or not finite.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"timeout must be a number, not {type(timeout).__name__}")
    if not 0 < timeout < float("inf"):
        raise ValueError(f"timeout must be above 0 and finite, not {timeout}")


def check_room(name: object, capacity: object) -> None:
    """Check the name of a room, which may be empty, and the number of its members.

    Raises:
        TypeError: A value is of another type.
        ValueError: A value is out of range.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a room must be a str, not {type(name).__name__}")
    if not name.isprintable() or len(name.encode()) > MAX_ROOM_NAME:
        raise ValueError(
            f"the name of a room must have at most {MAX_ROOM_NAME} bytes, all printable, not {name[:99]!r}"
        )
    if isinstance(capacity, bool) or not isinstance(capacity, int):
        raise TypeError(f"capacity must be an int, not {type(capacity).__name__}")
    if not 1 <= capacity <= MAX_CAPACITY:
        raise ValueError(f"capacity must be 1 to {MAX_CAPACITY}, not {capacity}")


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
