"""A connection on which a session may go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ..._core.connection import BaseConnection
from ..._core.receiver import Backlog
from ..._core.sending import SendingConnection
from ...end import ClosedBy, ConnectionEnd
from ...errors import ConnectionClosed
from ...message import Message
from ..protocol.reasons import CloseReason, connection_end_text


class Adopter(Protocol):
    """The internal end of a session that waits for another connection."""

    def adopt(self, newcomer: Newcomer) -> None:
        """Go on, on this connection."""

    def lose(self, newcomer: Newcomer, end: ConnectionEnd) -> None:
        """Note that this connection has ended before that."""


class Newcomer:
    """Receives a new connection's events until nothing of the session's old connection is left in their mailbox.

    Both connections are in the same mailbox, and events keep their order there: an event of the new connection, that
    was asked for once the old one could bring no more data, marks the end of the old one's.
    """

    def __init__(self, adopter: Adopter, connection: SendingConnection) -> None:
        self.connection = connection
        self.endpoint = BaseConnection.endpoint_of(connection)
        self.inputs: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._adopter = adopter

    def ask_for_mark(self) -> None:
        """Ask for the event that marks the end of what the old connection brings."""
        try:
            self.endpoint.notify_drained(0, 0)
        except ConnectionClosed:
            return  # its end is in the mailbox

    def work(self) -> None:
        """See Sink."""
        while self.inputs:
            function, arguments = self.inputs[0]
            del self.inputs[0]
            function(*arguments)

    def on_data(self, message: Message, lane: int, number: int, backlog: Backlog) -> None:  # noqa: ARG002
        """See Sink: the peer must wait until this end has said that the session goes on."""
        del backlog[0]
        self._refuse()

    on_ack_due_data = on_data
    on_untracked = on_data

    def take_message(self, message: Message) -> None:  # noqa: ARG002
        """See Sink."""
        self._refuse()

    take_unreliable = take_message

    def _refuse(self) -> None:
        reason, text = CloseReason.INVALID_INBOUND_MESSAGE, "a message arrived before the session was resumed"
        self.endpoint.sink = None
        self.endpoint.close(reason.native_code, connection_end_text(0, text), linger=False)
        self._adopter.lose(self, ConnectionEnd(ClosedBy.LOCAL, reason.native_code, text))

    def take_end(self, end: ConnectionEnd) -> None:
        """See Sink."""
        self._adopter.lose(self, end)

    def take_room(self) -> None:
        """See Sink: the mark."""
        self._adopter.adopt(self)
