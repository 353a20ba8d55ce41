"""Commits of durable sessions, for threads."""

from __future__ import annotations

from typing import cast

from ..._core.runtime import is_running
from ...sync import Connection
from .._core.keeper import SessionKeeper, check_state, keeper_of
from .._core.session import BaseSession
from ..store import SessionStore
from .endpoint import ThreadEndpoint
from .store_thread import StoreThread


class ThreadKeeper(SessionKeeper):
    """Keeps sessions in a store, in a thread for that."""

    def __init__(self, store: SessionStore, thread: StoreThread) -> None:
        super().__init__(store, thread.spawn)
        self.thread = thread


class CommittingSession(BaseSession[Connection, ThreadEndpoint]):
    """The part of a session that commits."""

    def commit(self, state: bytes | None = None) -> None:
        """Store what was done in this durable session: at once, as one step. Any thread; waits for the store.

        All messages that were taken from it count as handled then, and all that were sent on it go to the peer. If this
        server dies, another one gets the state, and goes on from here. After Ctrl-C it is open whether it was
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
        is_running()  # raises in a forked child, which has no such thread
        keeper = cast("ThreadKeeper", keeper_of(self._internal))
        if self._internal.has_ended:  # perhaps with its server, and the thread
            raise self._internal.closed_error()
        failed = keeper.thread.call(keeper.commit({self._internal: state}))
        if self._internal in failed:
            raise failed[self._internal]
