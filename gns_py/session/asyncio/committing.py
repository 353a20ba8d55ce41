"""Commits of durable sessions, for asyncio."""

from __future__ import annotations

from ...asyncio import Connection
from .._core.keeper import check_state, keeper_of
from .._core.session import BaseSession
from .endpoint import LoopEndpoint


class CommittingSession(BaseSession[Connection, LoopEndpoint]):
    """The part of a session that commits."""

    async def commit(self, state: bytes | None = None) -> None:
        """Store what was done in this durable session: at once, as one step.

        All messages that were taken from it count as handled then, and all that were sent on it go to the peer. If this
        server dies, another one gets the state, and goes on from here. Cancelling this may leave it open whether it was
        stored; the next commit settles that.

        Args:
            state: The application's state of this session, for ``saved_state``; None: as it was.

        Raises:
            StoreUnavailable: The store does not answer. The session goes on; commit again.
            RecordTooLarge: The state, or what was sent, is more than the store takes.
            InvalidStateError: The session is not durable, or not established yet.
            SessionClosed: The session has ended: for example with FAILED_OVER, since another server has it.
            TypeError: ``state`` is not bytes.
        """
        check_state(state)
        self._internal.watchers.check_loop()
        error = (await keeper_of(self._internal).commit({self._internal: state})).get(self._internal)
        if error is not None:
            raise error
