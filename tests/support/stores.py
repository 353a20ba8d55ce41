"""Records of session stores, and owners of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Any

from gns_py.session.store import Claim, Commit, Outgoing, Record, SessionStore, Touch

TTL = 60.0


def make_record(session_id: bytes, **fields: Any) -> Record:
    """Return a record of a new session."""
    values = {"epoch": 1, "owner": secrets.token_bytes(16), "ttl": TTL}
    return Record(id=session_id, **{**values, **fields})


def messages(lane: int, first: int, last: int, size: int = 5) -> list[Outgoing]:
    """Return messages with payloads that are different, and have bytes that text has not."""
    return [
        Outgoing(lane, number, bytes([lane, number % 256, 0, 255, 10]).ljust(size)) for number in range(first, last + 1)
    ]


@dataclass
class Owner:
    """An owner of a session, with all that it takes to write to a store."""

    store: SessionStore
    record: Record
    number: int = 0
    """The last commit known to be carried out."""

    def commit_of(self, number: int | None = None, after: int | None = None, **fields: Any) -> Commit:
        """Return the next commit."""
        return Commit(
            id=self.record.id,
            epoch=self.record.epoch,
            owner=self.record.owner,
            number=self.number + 1 if number is None else number,
            after=self.number if after is None else after,
            **{"ttl": TTL, **fields},
        )

    async def commit(self, **fields: Any) -> None:
        """Commit, or raise what the store returns."""
        commit = self.commit_of(**fields)
        (problem,) = await self.store.commit([commit])
        if problem is not None:
            raise problem
        self.number = commit.number

    async def touch(self, **fields: Any) -> None:
        """Touch the record, or raise what the store returns."""
        record = self.record
        values: dict[str, Any] = {"ttl": TTL, **fields}
        (problem,) = await self.store.touch([Touch(id=record.id, epoch=record.epoch, owner=record.owner, **values)])
        if problem is not None:
            raise problem

    async def delete(self, **fields: Any) -> None:
        """Delete the record."""
        await self.store.delete(self.record.id, self.record.epoch, self.record.owner, **fields)


async def created(store: SessionStore, **fields: Any) -> Owner:
    """Create a session, and return its owner."""
    record = make_record(store.new_session_id(), **fields)
    await store.create(record)
    return Owner(store, record, record.commit)


def claim_of(record: Record, **fields: Any) -> Claim:
    """Return a claim of the next epoch."""
    values = {
        "expected": record.epoch,
        "epoch": record.epoch + 1,
        "owner": secrets.token_bytes(16),
        "ttl": TTL,
    }
    return Claim(id=record.id, **{**values, **fields})


async def claimed(store: SessionStore, claim: Claim) -> Owner:
    """Claim a session, and return its owner."""
    record = await store.claim(claim)
    return Owner(store, record, record.commit)


def advanced(record: Record, **fields: Any) -> Record:
    """Return a record with some fields changed."""
    return replace(record, **fields)
