"""PollGroup: many connections of a loop read by one task."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeAlias, cast

from .._core.connection import BaseConnection
from .._core.endpoint import Endpoint
from .._core.poll_group import BasePollGroup
from .._core.waiting import take
from ..errors import ConcurrencyError
from ..events import MessageReceived, SendFailed, StatusChanged
from .connection import Connection
from .mailbox import LoopMailbox
from .waiters import Home, Waiters

Event: TypeAlias = StatusChanged[Connection] | MessageReceived[Connection] | SendFailed[Connection]


class PollGroup(BasePollGroup[Connection]):
    """Reads many connections, all of one loop, in one task: for loops with a fixed rate.

    A connection is in one group at most; while it is, its own recv() raises InvalidStateError.
    """

    def __init__(self) -> None:
        super().__init__()
        self._events: deque[Event] = deque()
        self._waiters: Waiters | None = None  # of the loop whose connections it has

    def add(self, connection: Connection) -> None:
        """Add a connection. poll() then returns its events, including those already pending.

        Raises:
            ConnectionClosed: The connection has ended.
            ConcurrencyError: A task is receiving from it.
            RuntimeError: The group has connections of another loop.
        """
        if connection in self:
            return
        endpoint = BaseConnection.endpoint_of(connection)
        endpoint.check_alive()
        if endpoint.own_readers:
            raise ConcurrencyError("a task receives from the connection")
        waiters = self._waiters_of(cast("LoopMailbox", endpoint.mailbox).home)
        self._join(connection)
        endpoint.readers = waiters
        endpoint.redirect_events(self._events)
        if self._events:
            waiters.wake()

    def remove(self, connection: Connection) -> None:
        """Read a connection with its own recv() again, beginning with what is pending.

        Raises:
            ValueError: The connection is not in this group.
        """
        endpoint = self._endpoint_of_member(connection)
        self.discard(endpoint)
        endpoint.redirect_events(None)

    def discard(self, endpoint: Endpoint) -> None:
        """See Group. Not part of the API."""
        super().discard(endpoint)
        endpoint.readers = endpoint.own_readers

    async def poll(self) -> list[Event]:
        """Wait for something to happen and return everything that has happened since the last call.

        Events are MessageReceived and StatusChanged, in order for each connection; the last StatusChanged of a
        connection has an ``end``. Cancelling this loses nothing.

        Raises:
            ConcurrencyError: Another task is polling.

        Note:
            Native function: ``ReceiveMessagesOnPollGroup``, called by the thread that serves GNS.
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
                events = [event for event in taken if _count_handled(event)]
                self._forget_ended(events)
            except BaseException:  # a signal handler's
                self._events.extendleft(reversed(taken))
                raise
        return events

    def _waiters_of(self, home: Home) -> Waiters:
        """Return the waiters of a loop, or raise RuntimeError if the connections belong to another one."""
        if self._waiters is None or not (self._waiters or self._events or self._members):
            self._waiters = Waiters(home, "poll group")
        self._waiters.home.check_is(home, "poll group")
        return self._waiters


def _count_handled(event: Event) -> bool:
    """Count a message as handled; return False for one that was not read before this end closed the connection."""
    if type(event) is not MessageReceived:
        return True
    endpoint = BaseConnection.endpoint_of(event.connection)
    if endpoint.is_closed_here:
        return False
    endpoint.count_handled(1, len(event.message.data))
    return True
