"""Sessions that outlive their connections, at both ends."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass, replace
from math import inf
from typing import TypeAlias

from ...end import ClosedBy
from .config import SessionConfig
from .engine import Engine
from .frames import LAST_CREDIT, Ack, Frame
from .going_away import GoingAway
from .reasons import CloseReason, SessionEnd, connection_end_text
from .state import Phase
from .transport import Transport
from .violation import Violation


@dataclass(frozen=True, slots=True)
class Dropped:
    """The session has lost its connection, and may go on."""

    why: SessionEnd
    """How it would have ended if it could not be resumed."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The session goes on, on a new connection."""

    replayed: int
    """How many messages this end sends again."""


Notice: TypeAlias = Dropped | Resumed | GoingAway
"""News for an application's callbacks."""


class ResumableEngine(Engine):
    """An engine whose session can go on, on another connection."""

    def __init__(self, transport: Transport, config: SessionConfig, now: float) -> None:
        super().__init__(transport, config, now)
        self.resume_window = 0.0
        """Seconds for which the session outlives its connection, as both ends have agreed; 0: not at all."""
        self.notices: deque[Notice] = deque()
        """News that the application has not been told yet."""
        self.drops = 0
        """How often the connection was lost."""
        self._why: SessionEnd | None = None
        self._dropped_at = inf  # inf: it is connected
        self._time_dropped = 0.0  # of earlier outages
        self._expires_at = inf

    def time_dropped(self, now: float) -> float:
        """Return the seconds without a connection since the session was established."""
        return self._time_dropped + max(0.0, now - self._dropped_at)

    @property
    def is_behind(self) -> bool:
        """True while something that was sent on an earlier connection has to be sent again."""
        return self.phase in (Phase.DROPPED, Phase.RESUMING) or self.outbox.is_replaying

    @property
    def can_resume(self) -> bool:
        """True while the session can outlive its connection."""
        return self.resume_window > 0 and self.was_established and self.phase is not Phase.ENDED

    def _keep_for_resuming(self, window_ms: int) -> None:
        """Keep what is sent from now on. Called before anything is sent."""
        self.resume_window = window_ms / 1000.0
        if self.resume_window > 0:
            self.transport.keep(self.config.resend_buffer_bytes, self.config.resend_buffer_messages)

    # ---- without a connection ----

    def _on_connection_end(self, end: SessionEnd) -> None:
        is_own = end.closed_by is ClosedBy.LOCAL
        if not self.can_resume or not end.recoverable:
            super()._on_connection_end(end)
        elif not is_own:
            self._drop(end)
        elif self.phase is not Phase.DROPPED:  # else this engine has given it up
            # The application has closed the connection under the session: what had arrived is gone.
            super()._on_connection_end(end)

    def _on_silence(self, text: str) -> None:
        if not self.can_resume:
            super()._on_silence(text)
            return
        reason = CloseReason.CLIENT_UNRESPONSIVE
        self._give_up_connection(SessionEnd(ClosedBy.PROBLEM, reason, reason.native_code, text, is_confirmed=False))

    def _give_up_connection(self, why: SessionEnd) -> None:
        """Close the connection, and wait for another one."""
        self._drop(why)
        self.transport.close_later(why.reason.native_code, connection_end_text(0, why.text))

    def _drop(self, why: SessionEnd) -> None:
        """Wait for another connection; within the window that began when the last one was lost."""
        self.phase = Phase.DROPPED
        self.inspects_data = self.goodbyes.theirs is not None or self.goodbyes.ours is not None
        self._control.clear()
        self._setup_deadline = inf
        self.transport.detach()
        if self._dropped_at != inf:  # an attempt has failed
            return
        self.outbox.suspend()
        self.drops += 1
        self._dropped_at = self._now
        self._expires_at = self._now + self.resume_window
        self.notices.append(Dropped(why))
        self._why = why

    def tick(self, now: float) -> None:
        """Do what is due."""
        if now >= self._expires_at and self.phase is not Phase.ENDED and self._why is not None:
            self._now = now
            why = f"{self._why.reason.name}: {self._why.text}" if self._why.text else self._why.reason.name
            text = f"not resumed within {self.resume_window:g} s ({why})"
            self._abort(ClosedBy.PROBLEM, CloseReason.SESSION_EXPIRED, None, text)
        else:
            super().tick(now)

    @property
    def next_tick(self) -> float:
        """When to call tick() at the latest. See Engine."""
        return inf if self.phase is Phase.ENDED else min(super().next_tick, self._expires_at)

    # ---- on a new connection ----

    def connected(self, now: float) -> None:
        """Go on, on the connection that the transport has now. Called while DROPPED."""
        self._now = now
        self.phase = Phase.RESUMING
        self.inspects_data = True
        self.keep_alive.restart(now)
        self.inbox.begin_again()
        self.goodbyes.begin_again()
        if self.transport.last_arrived() != self.inbox.received:
            self._abort(ClosedBy.LOCAL, CloseReason.LOST_MESSAGES, None, "messages that had arrived were dropped")
            return
        report = self.goodbyes.last_ack or self._acks.report()
        self.transport.resume(report.handled)
        self._begin_resuming(report)
        self._flush()

    @abstractmethod
    def _begin_resuming(self, report: Ack) -> None:
        """Queue the frame that begins to resume, with what this end has handled and grants."""

    @abstractmethod
    def _on_resuming_frame(self, frame: Frame) -> bool:
        """Take a frame of the procedure and return True, or return False."""

    def _take_report(self, report: Ack) -> None:
        """Take what the peer has handled and grants.

        Raises:
            Violation: It contradicts what was sent, or said before.
        """
        if self.outbox.has_last_credit:  # it needs no more; another server may not know that the one before gave it
            report = replace(report, credit_bytes=LAST_CREDIT, credit_messages=LAST_CREDIT)
        try:
            self.outbox.acked(report)
        except Violation as violation:
            raise Violation(violation.text, CloseReason.LOST_MESSAGES) from None

    def _go_on(self) -> None:
        """Begin to send on the new connection: what the peer has not handled, then what waits."""
        said = self.goodbyes.ours is not None or self.goodbyes.theirs is not None
        self.phase = Phase.CLOSING if said else Phase.ESTABLISHED
        self.inspects_data = said
        self._setup_deadline = self._expires_at = inf
        self._time_dropped += self._now - self._dropped_at
        self._dropped_at = inf
        self.keep_alive.restart(self._now)
        self.outbox.resume()
        self._acknowledge()  # what was handled since the report
        self.notices.append(Resumed(self.transport.count_kept()))

    def _count_undelivered(self) -> int:
        if self.is_behind and not self.goodbyes.is_confirmed:
            return self.outbox.unacked
        return super()._count_undelivered()

    def _catch_up(self) -> bool:
        if not self.is_connected:
            return False
        if not self.outbox.replay():
            self.transport.request_room_event()
        return not self.outbox.is_replaying
