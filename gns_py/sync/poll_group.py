"""PollGroup: many connections read by one thread."""

from __future__ import annotations

from .._core.connection import BaseConnection
from .._core.mailbox import Mailbox
from .._core.poll_group import BasePollGroup
from .connection import Connection, Event
from .polling import poll


class PollGroup(BasePollGroup[Connection]):
    """Reads many connections in one thread: for loops with a fixed rate, and for servers with a thread for each group.

    A connection is in one group at most; while it is, its own recv() and poll() raise InvalidStateError. The core's
    mailboxes stand in for GNS's poll groups.
    """

    def __init__(self) -> None:
        super().__init__()
        self._mailbox = Mailbox()

    def add(self, connection: Connection) -> None:
        """Add a connection. poll() then returns its events, including those already pending.

        Call it in the thread that has read the connection, or when none does; another one may be in poll().

        Raises:
            ConnectionClosed: The connection has ended.
            ConcurrencyError: Another thread is reading the connection.
        """
        if connection in self:
            return
        endpoint = BaseConnection.endpoint_of(connection)
        endpoint.check_alive()
        endpoint.move_to(self._mailbox, self._mailbox.events)
        self._join(connection)

    def remove(self, connection: Connection) -> None:
        """Read a connection on its own again, with recv() or poll(), beginning with what is pending.

        Call it in the thread that reads the group, or when none does.

        Raises:
            ValueError: The connection is not in this group.
            ConcurrencyError: Another thread is reading the group.
        """
        endpoint = self._endpoint_of_member(connection)
        endpoint.move_to(Mailbox(), None)
        self.discard(endpoint)

    def poll(self, timeout: float | None = 0.0) -> list[Event]:
        """Wait for something to happen and return everything that has happened since the last call.

        Events are MessageReceived and StatusChanged, in order for each connection; the last StatusChanged of a
        connection has an ``end``. Sleeps natively and wakes at the first event.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            ConcurrencyError: Another thread is reading the group.
            TypeError: ``timeout`` is not a number.
            ValueError: ``timeout`` is negative.

        Note:
            Native function: ``ReceiveMessagesOnPollGroup``, called by the thread that serves GNS.
        """
        events = poll(self._mailbox, timeout, lambda: False)
        try:
            self._forget_ended(events)
            return events
        except BaseException:  # a signal handler's
            self._mailbox.events.extendleft(reversed(events))
            raise
