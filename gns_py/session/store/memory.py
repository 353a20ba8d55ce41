"""A session store in this process."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from . import ids
from .errors import Fenced, RecordExpired, RecordLost, RecordMissing, StoreError
from .values import (
    Claim,
    Commit,
    Ended,
    Outgoing,
    Record,
    RecordHead,
    Touch,
    check_id,
    check_key,
    check_size,
    check_ttl,
)

MAX_SIZE = 16 << 20
_FEWEST_BEFORE_SWEEP = 64


class _Entry:
    """A record with parts that change, or what is left of a session that was ended."""

    def __init__(self, record: Record) -> None:
        self.id, self.key = record.id, record.key
        self.epoch, self.owner = record.epoch, record.owner
        self.setup, self.progress, self.state = record.setup, record.progress, record.state
        self.handled, self.sent, self.acked = dict(record.handled), dict(record.sent), dict(record.acked)
        self.messages = {(lane, number): payload for lane, number, payload in record.outgoing}
        self.commit, self.ttl = record.commit, record.ttl
        self.reason: int | None = None
        self.expires = 0.0

    def fields(self) -> dict[str, Any]:
        names = ("id", "epoch", "owner", "key", "setup", "progress", "commit", "ttl")
        copies = {name: dict(getattr(self, name)) for name in ("handled", "sent", "acked")}
        return {name: getattr(self, name) for name in names} | copies

    def head(self) -> RecordHead:
        return RecordHead(**self.fields())

    def whole(self) -> Record:
        outgoing = tuple(Outgoing(*place, self.messages[place]) for place in sorted(self.messages))
        return Record(**self.fields(), state=self.state, outgoing=outgoing)

    def apply(self, commit: Commit) -> None:
        self.commit = commit.number
        self.state = self.state if commit.state is None else commit.state
        self.progress = self.progress if commit.progress is None else commit.progress
        self.handled.update(commit.handled)
        for lane, run in commit.runs.items():
            sent = self.sent.get(lane, 0)
            self.messages.update({(lane, number): bytes(data) for _, number, data in run if number > sent})
            self.sent[lane] = max(sent, run[-1].number)
        for lane, number in commit.acked.items():
            for dropped in range(self.acked.get(lane, 0) + 1, min(number, self.sent.get(lane, 0)) + 1):
                del self.messages[lane, dropped]
                self.acked[lane] = dropped


class MemoryStore:
    """A session store in this process, for servers that share it: sessions outlive a server, but not the process.

    It is the reference: the other stores do what this one does. Any thread and any loop may use it.

    Args:
        max_size: The most bytes of state, set-up, progress and messages that a record or a commit may have.
        clock: A function that returns seconds, for tests.
    """

    def __init__(self, *, max_size: int = MAX_SIZE, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_size = max_size
        self._clock = clock
        self._lock = threading.Lock()
        self._epoch = ids.new_epoch()
        self._entries: dict[bytes, _Entry] = {}
        self._keys: dict[str, tuple[bytes, float]] = {}
        self._sweep_at = _FEWEST_BEFORE_SWEEP

    def __len__(self) -> int:
        """Return how many records are in memory, some of them perhaps expired."""
        return len(self._entries)

    async def open(self) -> None:
        """Do nothing: there is no connection."""

    async def aclose(self) -> None:
        """Do nothing: the records stay."""

    def lose_everything(self) -> None:
        """Drop all records and begin a new store epoch, as a server does that has lost its data. For tests."""
        with self._lock:
            self._epoch = ids.new_epoch()
            self._entries.clear()
            self._keys.clear()

    def new_session_id(self) -> bytes:
        """Return an id for a new session."""
        return ids.new_id(random.randrange(ids.BUCKETS), self._epoch)

    async def create(self, record: Record) -> None:
        """Store a new session; see SessionStore.create()."""
        check_size(record, self._max_size)
        with self._lock:
            self._sweep()
            if ids.epoch_of(record.id) != self._epoch:
                raise RecordLost("the id is from before the store lost its data")
            if self._find(record.id) is None:
                self._entries[record.id] = entry = _Entry(record)
                self._prolong(entry, record.ttl)
            self._owned(record.id, record.epoch, record.owner, record.ttl)

    async def peek(self, session_id: bytes) -> RecordHead | Ended | None:
        """Return a record without its state and messages; see SessionStore.peek()."""
        with self._lock:
            entry = self._look_up(session_id)
            return entry.head() if isinstance(entry, _Entry) else entry

    async def load(self, session_id: bytes) -> Record | Ended | None:
        """Return a record; see SessionStore.load()."""
        with self._lock:
            entry = self._look_up(session_id)
            return entry.whole() if isinstance(entry, _Entry) else entry

    async def claim(self, claim: Claim) -> Record:
        """Make the caller the owner; see SessionStore.claim()."""
        with self._lock:
            entry = self._find(claim.id)
            if entry is not None and entry.reason is None and entry.epoch == claim.expected:
                entry.epoch, entry.owner = claim.epoch, claim.owner
            return self._owned(claim.id, claim.epoch, claim.owner, claim.ttl).whole()

    async def commit(self, commits: Sequence[Commit]) -> list[StoreError | None]:
        """Store what has happened in many sessions; see SessionStore.commit()."""
        return [self._commit(each) for each in commits]

    async def touch(self, touches: Sequence[Touch]) -> list[StoreError | None]:
        """Keep many records alive; see SessionStore.touch()."""
        return [self._touch(each) for each in touches]

    async def delete(self, session_id: bytes, epoch: int, owner: bytes, *, key: str | None = None) -> None:
        """Delete a record and free its key; see SessionStore.delete()."""
        check_id(session_id)
        with self._lock:
            if self._find(session_id) is not None:
                self._owned(session_id, epoch, owner, None)
                del self._entries[session_id]
            if key is not None and self._holder(key) == session_id:
                del self._keys[key]

    async def end(self, session_id: bytes, reason: int) -> None:
        """End a session, whichever server owns it; see SessionStore.end()."""
        check_id(session_id)
        with self._lock:
            entry = self._find(session_id)
            if entry is not None and entry.reason is None:
                entry.reason = reason
                entry.epoch += 1
                entry.state, entry.setup, entry.progress = None, b"", b""
                entry.messages.clear()
                entry.expires = self._clock() + entry.ttl

    async def find(self, key: str) -> bytes | None:
        """Return the id of the session that holds a key, or None."""
        check_key(key)
        with self._lock:
            return self._holder(key)

    async def take_key(self, key: str, session_id: bytes, *, replacing: bytes | None, ttl: float) -> bytes:
        """Give a key to a session; see SessionStore.take_key()."""
        check_key(key)
        check_id(session_id)
        check_ttl(ttl)
        with self._lock:
            return self._take_key(key, session_id, replacing, ttl)

    def _commit(self, commit: Commit) -> StoreError | None:
        try:
            check_size(commit, self._max_size)
            with self._lock:
                entry = self._owned(commit.id, commit.epoch, commit.owner, None)
                is_new = entry.commit < commit.number
                gaps = [lane for lane, run in commit.runs.items() if run[0].number > entry.sent.get(lane, 0) + 1]
                if entry.commit < commit.after or (is_new and gaps):
                    return behind(entry.commit, commit)
                if is_new:
                    entry.apply(commit)
                self._prolong(entry, commit.ttl)
        except StoreError as problem:
            return problem
        return None

    def _touch(self, touch: Touch) -> StoreError | None:
        try:
            with self._lock:
                entry = self._owned(touch.id, touch.epoch, touch.owner, touch.ttl)
                if touch.key is not None and self._take_key(touch.key, touch.id, None, touch.ttl) != touch.id:
                    return Fenced(entry.epoch)
        except StoreError as problem:
            return problem
        return None

    def _find(self, session_id: bytes) -> _Entry | None:
        entry = self._entries.get(session_id)
        if entry is None or entry.expires > self._clock():
            return entry
        del self._entries[session_id]
        return None

    def _look_up(self, session_id: bytes) -> _Entry | Ended | None:
        check_id(session_id)
        entry = self._find(session_id)
        if entry is None:
            if (problem := missing(session_id, self._epoch)).__class__ is RecordLost:
                raise problem
            return None
        return entry if entry.reason is None else Ended(entry.epoch, entry.reason)

    def _owned(self, session_id: bytes, epoch: int, owner: bytes, ttl: float | None) -> _Entry:
        """Return the entry of an owner, or raise; the time that is given prolongs its life."""
        entry = self._find(session_id)
        if entry is None:
            raise missing(session_id, self._epoch)
        if entry.reason is not None or (entry.epoch, entry.owner) != (epoch, owner):
            raise Fenced(entry.epoch, entry.reason)
        if ttl is not None:
            self._prolong(entry, ttl)
        return entry

    def _prolong(self, entry: _Entry, ttl: float) -> None:
        entry.ttl = ttl
        entry.expires = self._clock() + ttl

    def _holder(self, key: str) -> bytes | None:
        holder, expires = self._keys.get(key, (None, 0.0))
        return holder if expires > self._clock() else None

    def _take_key(self, key: str, session_id: bytes, replacing: bytes | None, ttl: float) -> bytes:
        holder = self._holder(key)
        if holder not in (None, session_id, replacing):
            assert holder is not None
            return holder
        self._keys[key] = session_id, self._clock() + ttl
        return session_id

    def _sweep(self) -> None:
        """Drop what has expired, each time that the number of records has doubled."""
        if len(self._entries) < self._sweep_at:
            return
        now = self._clock()
        self._entries = {name: entry for name, entry in self._entries.items() if entry.expires > now}
        self._keys = {key: (holder, expires) for key, (holder, expires) in self._keys.items() if expires > now}
        self._sweep_at = max(_FEWEST_BEFORE_SWEEP, 2 * len(self._entries))


def missing(session_id: bytes, store_epoch: bytes) -> RecordMissing:
    """Return the exception for a record that is not there.

    Args:
        session_id: The session's id.
        store_epoch: The epoch of the data set that would have it.
    """
    if ids.epoch_of(session_id) == store_epoch:
        return RecordExpired("the store has no such session: its time is over")
    return RecordLost("the store has lost the data set that the session was kept in")


def behind(stored: int, commit: Commit) -> RecordLost:
    """Return the exception for a record that lacks commits.

    Args:
        stored: The number of the last commit in the store.
        commit: The commit that the owner wanted to store.
    """
    return RecordLost(f"the store has the commits up to {stored}; {commit.number} follows {commit.after}")
