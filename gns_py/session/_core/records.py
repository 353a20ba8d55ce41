"""Durable sessions as their engines know them, and as records of a store."""

from __future__ import annotations

import asyncio
import secrets
import struct
from dataclasses import dataclass, field

from ..protocol.config import SessionConfig
from ..protocol.durable import Commit, Outgoing, Progress, Saved, read_setup
from ..protocol.frames import Bye, parse
from ..protocol.goodbye import PromisedGoodbye
from ..protocol.reasons import CloseReason, reason_of
from ..protocol.violation import Violation
from ..store import errors, values

# The progress that a record has no fields for: numbers; then, once there is one, the server's goodbye.
_NUMBERS = struct.Struct(">5Q")
_IS_ANSWER = struct.Struct("?")


@dataclass(frozen=True, eq=False)
class Holding:
    """A session that this server has, as the owner of its record."""

    session_id: bytes
    epoch: int
    key: str | None
    ttl: float
    owner: bytes = field(default_factory=lambda: secrets.token_bytes(values.OWNER_SIZE))
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One commit at a time."""

    def record(self, setup: bytes, config: SessionConfig) -> values.Record:
        """Return the record of the session, which is new."""
        progress = Progress(credit_bytes=config.credit_bytes, credit_messages=config.credit_messages)
        return values.Record(
            id=self.session_id,
            epoch=self.epoch,
            owner=self.owner,
            key=self.key,
            setup=setup,
            progress=_pack(progress),
            ttl=self.ttl,
        )

    def claim(self) -> values.Claim:
        """Return the wish to take the session over from the owner before."""
        return values.Claim(
            id=self.session_id, expected=self.epoch - 1, epoch=self.epoch, owner=self.owner, ttl=self.ttl
        )

    def commit(self, commit: Commit) -> values.Commit:
        """Return the wish to store a step."""
        progress = commit.progress
        return values.Commit(
            id=self.session_id,
            epoch=self.epoch,
            owner=self.owner,
            number=commit.number,
            after=commit.number - 1,
            state=commit.state,
            progress=_pack(progress),
            handled=progress.handled,
            acked=progress.acked,
            outgoing=[values.Outgoing(*each) for each in commit.outgoing],
            ttl=self.ttl,
        )

    def touch(self) -> values.Touch:
        """Return the wish to keep the record alive."""
        return values.Touch(id=self.session_id, epoch=self.epoch, owner=self.owner, key=self.key, ttl=self.ttl)


def saved(head: values.RecordHead, owner: int) -> Saved:
    """Return a record as an engine needs it.

    Args:
        head: The record; without its messages it is enough to check a client's wish.
        owner: See Saved.
    """
    outgoing = head.outgoing if isinstance(head, values.Record) else ()
    return Saved(read_setup(head.setup), head.commit, owner, _unpack(head), tuple(Outgoing(*each) for each in outgoing))


def fenced(error: errors.Fenced) -> Violation:
    """Return the answer to a client whose session could not be claimed."""
    if error.reason is not None:
        return Violation("the session was ended by another server", reason_of(error.reason))
    # Perhaps for an attempt that the client has given up: the next one may have it.
    return Violation("another server has just taken the session", CloseReason.RATE_LIMITED)


def missing(error: errors.RecordMissing) -> Violation:
    """Return the answer to a client whose session the store does not have."""
    is_lost = isinstance(error, errors.RecordLost)
    return Violation(str(error), CloseReason.LOST_MESSAGES if is_lost else CloseReason.SESSION_EXPIRED)


def _pack(progress: Progress) -> bytes:
    numbers = (
        progress.epoch,
        progress.handled_bytes,
        progress.credit_bytes,
        progress.credit_messages,
        progress.sent_bytes,
    )
    packed = _NUMBERS.pack(*numbers)
    if progress.goodbye is None:
        return packed
    return packed + _IS_ANSWER.pack(progress.goodbye.is_answer) + progress.goodbye.goodbye.encode()


def _unpack(head: values.RecordHead) -> Progress:
    numbers, rest = head.progress[: _NUMBERS.size], head.progress[_NUMBERS.size :]
    epoch, handled_bytes, credit_bytes, credit_messages, sent_bytes = _NUMBERS.unpack(numbers)
    goodbye = None
    if rest:
        goodbye = PromisedGoodbye(parse(Bye, rest[_IS_ANSWER.size :]), *_IS_ANSWER.unpack_from(rest))
    return Progress(
        epoch=epoch,
        handled=head.handled,
        handled_bytes=handled_bytes,
        credit_bytes=credit_bytes,
        credit_messages=credit_messages,
        sent=head.sent,
        sent_bytes=sent_bytes,
        acked=head.acked,
        goodbye=goodbye,
    )
