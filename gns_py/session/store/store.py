"""The operations of a session store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from .errors import RecordLost, StoreError
from .values import Claim, Commit, Ended, Record, RecordHead, Touch


class SessionStore(Protocol):
    """A place where the sessions of several servers are kept, so that each of them can go on with any session.

    A record has one owner at a time. Each operation of an owner names its epoch and its 16 random bytes; once another
    server has claimed the session, all of them fail with Fenced: this is how a server that was paused or cut off learns
    that it has lost the session.

    Every operation can be repeated: the second time it changes nothing, except that it prolongs the record's life, and
    returns what the first one did. All of them can be cancelled. A cancelled operation may still be carried out, even
    later; this also holds for one that raised StoreUnavailable.

    Raises:
        StoreUnavailable: In each operation: the store did not answer in time, or cannot work now.
    """

    async def open(self) -> None:
        """Connect to the store. Each loop that uses it opens it, and closes it as often as it has opened it.

        Raises:
            StoreMisconfigured: The store refuses this program.
        """
        ...

    async def aclose(self) -> None:
        """Close what open() has opened for this loop. The records stay."""
        ...

    def new_session_id(self) -> bytes:
        """Return an id for a new session. It says in which of the store's data sets the session is kept."""
        ...

    async def create(self, record: Record) -> None:
        """Store a new session.

        Args:
            record: The session, with an id from new_session_id().

        Raises:
            Fenced: There is a record with this id, of another owner.
            RecordLost: The store has lost its data since the id was made: try again with another id.
            RecordTooLarge: The record has more bytes than the store's *max_size*.
        """
        ...

    async def peek(self, session_id: bytes) -> RecordHead | Ended | None:
        """Return what is known about a session, without its state and messages, however many they are.

        This is for a RESUME that may be a stranger's: check its token before you claim the session.

        Args:
            session_id: The session's id.

        Returns:
            The record without state and messages; the reason if another server has ended the session; None if its time
            is over.

        Raises:
            RecordLost: The store has lost its data since the session was created.
        """
        ...

    async def load(self, session_id: bytes) -> Record | Ended | None:
        """Return all that is known about a session, without claiming it.

        Args:
            session_id: The session's id.

        Returns:
            The record; the reason if another server has ended the session; None if its time is over.

        Raises:
            RecordLost: The store has lost its data, or a part of the record, since the session was created.
        """
        ...

    async def claim(self, claim: Claim) -> Record:
        """Make the caller the owner of a session, if its epoch is the expected one: a compare-and-set.

        From then on the owner before is fenced. An owner claims its own session, too, to begin the next epoch.

        Args:
            claim: The expected epoch, the next one, and its owner and tokens.

        Returns:
            The record as it was taken over.

        Raises:
            Fenced: The epoch is another one, or the session was ended.
            RecordExpired: The session's time is over.
            RecordLost: The store has lost its data, or a part of the record, since the session was created.
        """
        ...

    async def commit(self, commits: Sequence[Commit]) -> list[StoreError | None]:
        """Store what has happened in many sessions, together.

        Each session's commit is carried out as a whole or not at all, whatever becomes of the others.

        Args:
            commits: The commits, at most one of a session.

        Returns:
            For each commit, in order: None if it was carried out, or the exception: Fenced, RecordExpired, RecordLost
            (also if the store lacks commits that were carried out), RecordTooLarge or StoreUnavailable.
        """
        ...

    async def touch(self, touches: Sequence[Touch]) -> list[StoreError | None]:
        """Keep many records alive, and learn which of them are still the caller's.

        An owner does this several times within a record's *ttl*.

        Args:
            touches: The sessions.

        Returns:
            For each session, in order: None if it is the caller's, or the exception: Fenced, RecordExpired, RecordLost
            or StoreUnavailable.
        """
        ...

    async def delete(self, session_id: bytes, epoch: int, owner: bytes, *, key: str | None = None) -> None:
        """Delete the record of a session that has ended, and free its key. If there is none, nothing happens.

        Args:
            session_id: The session's id.
            epoch: The owner's epoch.
            owner: The owner's 16 bytes.
            key: The session's key, if it has one.

        Raises:
            Fenced: The session is another owner's, or was ended by another server.
        """
        ...

    async def end(self, session_id: bytes, reason: int) -> None:
        """End a session, whichever server owns it. If there is none, nothing happens.

        Its epoch rises, state and messages are deleted, and the reason stays for as long as the record would have: its
        owner gets it with its next operation, and a client that wants to resume gets it, too. The first reason stays.

        Args:
            session_id: The session's id.
            reason: The number of the reason.
        """
        ...

    async def find(self, key: str) -> bytes | None:
        """Return the id of the session that holds a key, or None.

        Args:
            key: The key.
        """
        ...

    async def take_key(self, key: str, session_id: bytes, *, replacing: bytes | None, ttl: float) -> bytes:
        """Give a key to a session if no session holds it, or the one that is to be replaced.

        End the session that holds it before you replace it: see take_over_key(), which does both.

        Args:
            key: The key.
            session_id: The id of the session that wants it.
            replacing: The id of the session that may lose it, or None.
            ttl: The seconds that the session keeps the key without being touched.

        Returns:
            The id of the session that holds the key now: *session_id*, or another one, and then nothing has changed.
        """
        ...


async def take_over_key(
    store: SessionStore,
    key: str,
    session_id: bytes,
    reason: int,
    *,
    ttl: float,
    check: Callable[[RecordHead], None] | None = None,
) -> list[bytes]:
    """Give a key to a session, and end the session that holds it, on whichever server it is.

    At no time two sessions live that hold the key: the older one ends first.

    Args:
        store: The store.
        key: The key.
        session_id: The id of the session that wants it.
        reason: The number of the reason with which the other one ends.
        ttl: The seconds that the session keeps the key without being touched.
        check: Called with the record of the session that holds the key, before it ends. If it raises an exception,
            that session goes on, and keeps the key.

    Returns:
        The ids of the sessions that were ended, as a rule none or one.

    Raises:
        StoreUnavailable: The store did not answer in time. The other session may have ended.
    """
    ended: list[bytes] = []
    while (
        holder := await store.take_key(key, session_id, replacing=ended[-1] if ended else None, ttl=ttl)
    ) != session_id:
        if check is not None and (record := await _peek(store, holder)) is not None:
            check(record)
        await store.end(holder, reason)
        ended.append(holder)
    return ended


async def _peek(store: SessionStore, session_id: bytes) -> RecordHead | None:
    """Return the record of a session that goes on, or None."""
    try:
        found = await store.peek(session_id)
    except RecordLost:
        return None
    return found if isinstance(found, RecordHead) else None
