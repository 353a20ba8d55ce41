"""The exchange of goodbyes that ends a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from ...end import ClosedBy
from .frames import LAST_CREDIT, Ack, Bye, ByeAck, Frame
from .reasons import CloseReason, SessionEnd, reason_of
from .violation import Violation


class PromisedGoodbye(NamedTuple):
    """The goodbye of a server, from which its successors must not depart."""

    goodbye: Bye
    """Without its ``last``."""
    is_answer: bool
    """True if it is said as BYE_ACK, once the client's BYE is there."""

    @property
    def is_automatic(self) -> bool:
        """True if the application has not closed: it may still read."""
        return self.goodbye.reason == CloseReason.ABORTED


class GoodbyeExchange:
    """The goodbyes of both ends, and what each end has confirmed.

    If both say BYE at once, the client's holds.
    """

    def __init__(self, *, is_client: bool) -> None:
        self._is_client = is_client
        self.ours: Bye | None = None
        """This end's goodbye, without its ``last``, which is known when it is said."""
        self.theirs: Bye | ByeAck | None = None
        self.has_arrived = False
        """True once the peer's goodbye has arrived on the present connection."""
        self.is_said = False
        """True once this end's goodbye is on its way."""
        self._was_first: bool | None = None  # it was a BYE, not the answer to one; None: not said yet
        self.has_confirmed = False
        """True once this end has said, on this connection, that everything up to the peer's goodbye has arrived."""
        self.last_ack: Ack | None = None
        """The ACK that has said so on any connection. No other report follows it."""
        self.is_confirmed = False
        """True once the peer has confirmed this end's goodbye in the same way."""

    def begin_again(self) -> None:
        """Say on a new connection what was said before: the peer may not have it."""
        self.has_arrived = self.is_said = self.has_confirmed = False

    def promise(self) -> PromisedGoodbye | None:
        """Return this end's goodbye, which does not change from now on; None if there is none."""
        if self.ours is None:
            return None
        if self._was_first is None:
            self._was_first = self.theirs is None
        return PromisedGoodbye(self.ours, is_answer=not self._was_first)

    def keep_promise(self, promised: PromisedGoodbye) -> None:
        """Say the goodbye that another server has promised."""
        self.ours, self._was_first = promised.goodbye, not promised.is_answer

    @property
    def is_due(self) -> bool:
        """True if this end's goodbye can be said, and was not."""
        is_early = self._was_first is False and self.theirs is None  # an answer, to what has to be repeated first
        return self.ours is not None and not self.is_said and not is_early

    def say(self, last: Mapping[int, int]) -> Bye | ByeAck:
        """Return this end's goodbye as a frame, which has to be sent."""
        promised = self.promise()
        assert promised is not None
        self.is_said = True
        goodbye = promised.goodbye
        return ByeAck(last, goodbye.data) if promised.is_answer else replace(goodbye, last=last)

    def may_be_theirs(self, frame: Frame) -> bool:
        """Return whether this frame can be the peer's goodbye."""
        return isinstance(frame, Bye) or (isinstance(frame, ByeAck) and self._was_first is True)

    def take(self, goodbye: Bye | ByeAck, received: Mapping[int, int], granted: int) -> None:
        """Take the peer's goodbye. On a new connection it may say it again.

        Args:
            goodbye: The frame.
            received: The number of the last message that has arrived on each lane.
            granted: The number of messages for which the peer had credit.

        Raises:
            Violation: The goodbye contradicts these numbers.
        """
        self.has_arrived = True
        if self.theirs is not None:
            if goodbye != self.theirs:
                raise Violation("the goodbye is not the one that was said before")
            return
        for lane, number in received.items():
            if number > goodbye.last.get(lane, 0):
                raise Violation(
                    f"message {number} of lane {lane} arrived after the last one", CloseReason.LOST_MESSAGES
                )
        if sum(goodbye.last.values()) > granted:
            raise Violation("the goodbye counts messages for which there was no credit", CloseReason.LOST_MESSAGES)
        self.theirs = goodbye

    def confirm(self, received: Mapping[int, int]) -> Ack:
        """Return the ACK that confirms the peer's goodbye, which has to be sent."""
        self.has_confirmed = True
        self.last_ack = Ack(dict(received), LAST_CREDIT, LAST_CREDIT)
        return self.last_ack

    def may_confirm(self, ack: Ack) -> bool:
        """Return whether this ACK, if it counts all messages, confirms this end's goodbye."""
        was_said = self._was_first is not None  # on any connection: the peer may have it from an earlier one
        return ack.credit_bytes == ack.credit_messages == LAST_CREDIT and was_said and self.theirs is not None

    @property
    def agreed_end(self) -> SessionEnd | None:
        """The end on which both goodbyes, or the peer's alone, agree; None before the peer's."""
        ours, theirs = self.ours, self.theirs
        if theirs is None:
            return None
        if isinstance(theirs, Bye) and (ours is None or not self._was_first or not self._is_client):
            return SessionEnd(ClosedBy.PEER, reason_of(theirs.reason), theirs.code, theirs.text, theirs.data)
        assert ours is not None  # only a goodbye is answered
        return SessionEnd(ClosedBy.LOCAL, reason_of(ours.reason), ours.code, ours.text, theirs.data)

    @property
    def expected_end(self) -> SessionEnd | None:
        """The end as far as it is known; None before the first goodbye."""
        ours = self.ours
        if self.theirs is not None or ours is None:
            return self.agreed_end
        return SessionEnd(ClosedBy.LOCAL, reason_of(ours.reason), ours.code, ours.text, is_confirmed=False)
