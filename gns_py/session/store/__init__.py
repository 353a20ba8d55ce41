"""Places where several servers keep their sessions, so that each can go on with any of them."""

from __future__ import annotations

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
from .valkey import ValkeyStore
from .values import Claim, Commit, Ended, Outgoing, Record, RecordHead, Touch

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
    "Touch",
    "ValkeyStore",
    "take_over_key",
]
