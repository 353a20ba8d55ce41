"""Acknowledgements of the messages that the application has handled."""

from __future__ import annotations

from .frames import Ack
from .inbox import Inbox
from .transport import Transport


class Acknowledger:
    """The ACKs of one end, and the credit in them."""

    def __init__(self, inbox: Inbox, transport: Transport, credit_bytes: int, credit_messages: int) -> None:
        self._inbox = inbox
        self._transport = transport
        self._granted = credit_bytes, credit_messages
        self._acked: dict[int, int] = {}  # the numbers in the last ACK

    @property
    def granted_messages(self) -> int:
        """The number of messages for which the peer has had credit."""
        return self._granted[1]

    def report(self) -> Ack:
        """Return everything that this end has handled and grants, for a new connection. It has to be sent."""
        inbox = self._inbox
        due, handled = inbox.acks_due, inbox.handled.copy()
        self._granted = self._transport.grant(due)
        self._acked = handled
        inbox.acks_sent = due
        return Ack(handled, *self._granted)

    def take_due(self, *, asked: bool = False) -> Ack | None:
        """Return the ACK that is due, or, if the peer has asked, one that says something new. It has to be sent."""
        inbox = self._inbox
        if inbox.acks_due != inbox.acks_sent or (asked and inbox.handled != self._acked):
            return self.report()
        return None
