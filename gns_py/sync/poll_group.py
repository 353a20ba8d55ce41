"""Many connections, one place to read them, one thread for each such place."""

from __future__ import annotations

from .._core.endpoint import check_alive
from .._core.poll_group import BasePollGroup
from .._core.runtime import Mailbox
from .connection import Connection, Event, poll


class PollGroup(BasePollGroup[Connection]):
    """Reads many connections in one thread: for loops with a fixed rate, and for servers with a thread for each group.

    A connection is in one group at most; while it is, its own recv() and poll() raise InvalidStateError.
    Native: the core's mailboxes, which stand in for GNS's poll groups.
    """

    def __init__(self) -> None:
        super().__init__()
        self._mailbox = Mailbox()

    def add(self, connection: Connection) -> None:
        """From now on poll() has what arrives on it, beginning with what waits already, wherever it was read before.

        Call it in the thread that reads the connection so far, or when none does; another one may be in poll().
        Errors: ConnectionClosed, ConcurrencyError.
        """
        if connection in self:
            return
        check_alive(connection)
        self._mailbox.move_here(connection, self._mailbox.events)
        self._join(connection)

    def remove(self, connection: Connection) -> None:
        """From now on it is read on its own, with recv() or poll(), beginning with what waits.

        Call it in the thread that reads the group, or when none does. Errors: ValueError (not a member),
        ConcurrencyError.
        """
        if connection not in self:
            raise ValueError(f"{connection!r} is not in this group")
        Mailbox().move_here(connection, None)
        self._leave(connection)

    def poll(self, timeout: float | None = 0.0) -> list[Event]:
        """What has happened since the last poll(), after waiting up to timeout seconds (None: no limit) for something.

        MessageReceived and StatusChanged, in order for each connection; the last StatusChanged of a connection has an
        ``end``. Sleeps natively and wakes at the first event. Errors: ConcurrencyError, TypeError, ValueError.
        """
        events = poll(self._mailbox, timeout, lambda: False)
        try:
            self._forget_ended(events)
            return events
        except BaseException:  # a signal's
            self._mailbox.events.extendleft(reversed(events))
            raise
