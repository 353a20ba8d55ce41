"""Places where several servers keep their sessions, so that each can go on with any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import (
    Fenced,
    RecordExpired,
    RecordLost,
    RecordMissing,
    RecordTooLarge,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
)
from .memory import MemoryStore
from .store import SessionStore, take_over_key
from .values import Claim, Commit, Ended, Outgoing, Record, RecordHead, Token, Touch

if TYPE_CHECKING:
    from .valkey import ValkeyStore

__all__ = [
    "Claim",
    "Commit",
    "Ended",
    "Fenced",
    "MemoryStore",
    "Outgoing",
    "Record",
    "RecordExpired",
    "RecordHead",
    "RecordLost",
    "RecordMissing",
    "RecordTooLarge",
    "SessionStore",
    "StoreError",
    "StoreMisconfigured",
    "StoreUnavailable",
    "Token",
    "Touch",
    "ValkeyStore",
    "take_over_key",
]


def __getattr__(name: str) -> object:
    """Import ValkeyStore when it is needed, and redis-py with it."""
    if name != "ValkeyStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .valkey import ValkeyStore

    return ValkeyStore
