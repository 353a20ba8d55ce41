"""Many connections of a loop, one place to read them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeAlias

from .. import _native
from .._core.endpoint import check_alive
from .._core.poll_group import BasePollGroup
from .._core.runtime import take
from ..errors import ConcurrencyError
from ..events import MessageReceived, SendFailed, StatusChanged
from .connection import Connection
from .mailbox import Home, Waiters

Event: TypeAlias = StatusChanged[Connection] | MessageReceived[Connection] | SendFailed[Connection]


class PollGroup(BasePollGroup[Connection]):
    """Reads many connections in one task: for loops with a fixed rate.

    A connection is in one group at most; while it is, its own recv() raises InvalidStateError. All of one loop.
    """

    def __init__(self) -> None:
        super().__init__()
        self._events: deque[Event] = deque()
        self._waiters: Waiters | None = None  # of the loop whose connections it has

    def add(self, connection: Connection) -> None:
        """From now on poll() has what arrives on it, beginning with what waits already, wherever it was read before.

        Errors: ConnectionClosed, ConcurrencyError (a task receives from it).
        """
        if connection in self:
            return
        check_alive(connection)
        if connection._receiver:
            raise ConcurrencyError("a task receives from the connection")
        waiters = self._waiters_of(connection._receiver.home)
        self._join(connection)
        connection._readers = waiters
        connection._collect(self._events)
        if self._events:
            waiters.wake()

    def remove(self, connection: Connection) -> None:
        """From now on it is read with its own recv(), beginning with what waits. Errors: ValueError (not a member)."""
        if connection not in self:
            raise ValueError(f"{connection!r} is not in this group")
        self._leave(connection)
        connection._readers = connection._receiver
        connection._collect(None)

    async def poll(self) -> list[Event]:
        """Waits for something to happen and returns all that has happened: MessageReceived, StatusChanged.

        In order for each connection; the last StatusChanged of a connection has an ``end``. Cancelling it loses
        nothing. Errors: ConcurrencyError (two tasks poll).
        """
        waiters = self._waiters_of(Home(asyncio.get_running_loop()))
        if waiters:
            raise ConcurrencyError("two tasks poll the same group at once")
        events: list[Event] = []
        while not events:
            while not self._events:
                await waiters.wait()
            taken = take(self._events)
            try:
                events = [event for event in taken if self._count_handled(event)]
                self._forget_ended(events)
            except BaseException:  # a signal's
                self._events.extendleft(reversed(taken))
                raise
        return events

    @staticmethod
    def _count_handled(event: Event) -> bool:
        """Whether the event is to be handed out: what was not read when this end closed the connection is gone."""
        if type(event) is not MessageReceived:
            return True
        connection = event.connection
        if connection._closed_here:
            return False
        _native.handled(connection.handle, 1, len(event.message.data))
        return True

    def _waiters_of(self, home: Home) -> Waiters:
        """Errors: RuntimeError (another loop than its connections')."""
        if self._waiters is None or not (self._waiters or self._events or self._members):
            self._waiters = Waiters(home, "poll group")
        self._waiters.home.check_is(home, "poll group")
        return self._waiters
