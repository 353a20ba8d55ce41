"""The records of a session store, and the wishes of their owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from . import ids
from .errors import RecordTooLarge

OWNER_SIZE = 16
MAX_NUMBER = 2**53 - 1
"""The largest number that Lua, which counts in doubles, counts to."""
MAX_KEY_SIZE = 1024


class Outgoing(NamedTuple):
    """A message to the client that it may not have handled yet."""

    lane: int
    number: int
    payload: bytes


@dataclass(frozen=True, kw_only=True)
class RecordHead:
    """The record of a session, without the application's state and the messages.

    Attributes:
        id: The session's id, made by the store's new_session_id().
        epoch: The epoch: it rises with each claim, so with each resume.
        owner: 16 random bytes that the present owner chose when it claimed the session, or created it.
        key: The key under which a newer session replaces this one, or None.
        setup: The facts of the session's set-up for another server, opaque to the store.
        progress: Its progress as far as the numbers below do not tell, opaque to the store.
        handled: For each lane the number of the last message of the client that was handled.
        sent: For each lane the number of the last message to the client.
        acked: For each lane the number of the last message that the client has handled.
        commit: The number of the last commit, 0 before the first one.
        ttl: The seconds that the record lives without being written or touched.
    """

    id: bytes
    epoch: int
    owner: bytes
    key: str | None = None
    setup: bytes = field(default=b"", repr=False)
    progress: bytes = b""
    handled: Mapping[int, int] = field(default_factory=dict)
    sent: Mapping[int, int] = field(default_factory=dict)
    acked: Mapping[int, int] = field(default_factory=dict)
    commit: int = 0
    ttl: float

    def __post_init__(self) -> None:
        _check_owner(self.id, self.epoch, self.owner, self.ttl)
        _check_bytes(self.setup, self.progress)
        if self.key is not None:
            check_key(self.key)
        for numbers in (self.handled, self.sent, self.acked):
            _check_numbers(numbers)


@dataclass(frozen=True, kw_only=True)
class Record(RecordHead):
    """The whole record of a session.

    Attributes:
        state: The application's state, or None if no commit had one.
        outgoing: The messages that the client may not have handled, ordered by lane and number: for each lane those
            after *acked* up to *sent*.
    """

    state: bytes | None = None
    outgoing: Sequence[Outgoing] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_bytes(self.state)
        runs = runs_of(self.outgoing)
        for lane in self.sent.keys() | self.acked.keys() | runs.keys():
            first, last = self.acked.get(lane, 0) + 1, self.sent.get(lane, 0)
            run = runs.get(lane, ())
            if len(run) != last - first + 1 or (run and run[0].number != first):
                raise ValueError(f"lane {lane} needs the messages {first} to {last}")


class Ended(NamedTuple):
    """The rest of a session that another server has ended."""

    epoch: int
    """The epoch of the end, higher than any that the session had."""
    reason: int
    """The number of the reason."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A wish to become a session's owner.

    Attributes:
        id: The session's id.
        expected: The epoch that the record must have.
        epoch: The next epoch, higher than *expected*.
        owner: 16 random bytes, new for each claim.
        ttl: The seconds that the record lives without being written or touched.
    """

    id: bytes
    expected: int
    epoch: int
    owner: bytes
    ttl: float

    def __post_init__(self) -> None:
        _check_owner(self.id, self.epoch, self.owner, self.ttl)
        if not 0 < self.expected < self.epoch:
            raise ValueError(f"the epoch must rise, not go from {self.expected} to {self.epoch}")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A step of a session: everything that has happened since its last commit.

    After a StoreUnavailable the owner repeats the commit as it was, or makes one with a higher number and the same
    *after*, which contains all that the failed one did and more. The store carries out what it has not.

    Attributes:
        id: The session's id.
        epoch: The owner's epoch.
        owner: The owner's 16 bytes.
        number: The number of this commit. It rises with each commit that is not a repetition.
        after: The number of the last commit that is known to be carried out.
        state: The application's state, or None if it has not changed.
        progress: The new progress, or None if it has not changed.
        handled: The lanes of which messages were handled, and the number of the last one of each.
        acked: The lanes of which the client has handled messages, and the number of the last one of each.
        outgoing: The new messages to the client, with ascending numbers in each lane.
        ttl: The seconds that the record lives without being written or touched.
    """

    id: bytes
    epoch: int
    owner: bytes
    number: int
    after: int
    state: bytes | None = None
    progress: bytes | None = None
    handled: Mapping[int, int] = field(default_factory=dict)
    acked: Mapping[int, int] = field(default_factory=dict)
    outgoing: Sequence[Outgoing] = ()
    ttl: float
    runs: Mapping[int, Sequence[Outgoing]] = field(init=False, repr=False, compare=False)
    """The new messages of each lane, in order."""

    def __post_init__(self) -> None:
        _check_owner(self.id, self.epoch, self.owner, self.ttl)
        if not 0 <= self.after < self.number <= MAX_NUMBER:
            raise ValueError(f"the number of a commit must rise, not go from {self.after} to {self.number}")
        _check_bytes(self.state, self.progress)
        _check_numbers(self.handled)
        _check_numbers(self.acked)
        object.__setattr__(self, "runs", runs_of(self.outgoing))


@dataclass(frozen=True, kw_only=True)
class Touch:
    """A wish to keep a record alive.

    Attributes:
        id: The session's id.
        epoch: The owner's epoch.
        owner: The owner's 16 bytes.
        key: The session's key, which is kept as well.
        ttl: The seconds that the record, and the key, live without being written or touched.
    """

    id: bytes
    epoch: int
    owner: bytes
    key: str | None = None
    ttl: float

    def __post_init__(self) -> None:
        _check_owner(self.id, self.epoch, self.owner, self.ttl)
        if self.key is not None:
            check_key(self.key)


def runs_of(messages: Sequence[Outgoing]) -> dict[int, Sequence[Outgoing]]:
    """Return the messages of each lane, or raise ValueError if numbers of a lane do not follow each other."""
    if not messages:
        return {}
    _check_bytes(*(message.payload for message in messages))
    ordered = sorted(messages, key=lambda message: message[:2])
    runs: dict[int, Sequence[Outgoing]] = {
        lane: tuple(run) for lane, run in groupby(ordered, key=lambda message: message.lane)
    }
    for lane, run in runs.items():
        first, last = run[0].number, run[-1].number
        if last - first + 1 != len(run) or not 0 < first <= last <= MAX_NUMBER:
            raise ValueError(f"the messages of lane {lane} must have consecutive numbers from 1 on")
    return runs


def _check_bytes(*values: bytes | None) -> None:
    """Raise TypeError for any other type: redis-py would refuse all that shares the pipeline."""
    for value in values:
        if not isinstance(value, bytes | None):
            raise TypeError(f"bytes are needed, not {type(value).__name__}")


def check_size(data: Record | Commit, max_size: int) -> None:
    """Raise RecordTooLarge if a record or commit has too many bytes."""
    parts = [data.state, data.progress, data.setup if isinstance(data, Record) else None]
    size = sum(len(part or b"") for part in parts) + sum(len(message.payload) for message in data.outgoing)
    if size > max_size:
        raise RecordTooLarge(f"{size} bytes of state, set-up, progress and messages; max_size is {max_size}")


def check_key(key: str) -> None:
    """Raise ValueError if a text cannot be a session's key."""
    if not 0 < len(key.encode()) <= MAX_KEY_SIZE:
        raise ValueError(f"a key has 1 to {MAX_KEY_SIZE} bytes")


def check_id(session_id: bytes) -> None:
    """Raise ValueError if bytes cannot be a session's id."""
    if len(session_id) != ids.SIZE:
        raise ValueError(f"a session id has {ids.SIZE} bytes, not {len(session_id)}")


def _check_owner(session_id: bytes, epoch: int, owner: bytes, ttl: float) -> None:
    check_id(session_id)
    _check_bytes(session_id, owner)
    if not 0 < epoch <= MAX_NUMBER:
        raise ValueError(f"epoch {epoch} is not in 1 to {MAX_NUMBER}")
    if len(owner) != OWNER_SIZE:
        raise ValueError(f"an owner is {OWNER_SIZE} random bytes, not {len(owner)}")
    check_ttl(ttl)


def check_ttl(ttl: float) -> None:
    """Raise ValueError if a number of seconds cannot be the life of a record."""
    if not 0.001 <= ttl <= 10**9:
        raise ValueError(f"a ttl has 0.001 to 10^9 seconds, not {ttl}")


def _check_numbers(numbers: Mapping[int, int]) -> None:
    for lane, number in numbers.items():
        if not (lane >= 0 and 0 <= number <= MAX_NUMBER):
            raise ValueError(f"lane {lane} with number {number}")
