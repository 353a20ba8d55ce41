"""The engine of the end that connects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

from ..._generated.enums import EndReason
from ...end import ClosedBy
from .config import SessionConfig
from .fields import FrameError
from .frames import (
    FIRST_EPOCH,
    VERSION,
    Ack,
    Bye,
    Capabilities,
    Confirm,
    Frame,
    GoAway,
    Hello,
    Ready,
    Reject,
    Resume,
    Resumed,
    ResumeFailed,
    Welcome,
    decode,
)
from .going_away import going_away
from .reasons import CloseReason, SessionEnd, connection_end_text, reason_of, truncate_text
from .resuming import ResumableEngine
from .state import Phase
from .transport import Transport
from .violation import Violation

# Seconds from a new connection to the server's answer; then another one is tried.
_ANSWER_TIMEOUT = 5.0
# A client leaves a little before the server's deadline, in seconds at most and as a part of the time until then, or the
# server would end what might go on elsewhere.
_HEAD_START = 1.0
_HEAD_START_PART = 0.1


class ClientEngine(ResumableEngine):
    """The end that has connected."""

    is_client = True

    def __init__(
        self, transport: Transport, config: SessionConfig, data: bytes, deadline: float | None, now: float
    ) -> None:
        super().__init__(transport, config, now)
        self._setup_deadline = inf if deadline is None else deadline
        self._welcome: Welcome | None = None
        self._epoch = FIRST_EPOCH
        self._token = b""
        self.moves_at_once = True
        """False if the application chooses when to leave a server that is going away, until that one's deadline."""
        self.is_last_word: Callable[[], bool] = lambda: True
        """Returns whether it is final that a server which the client tries does not go on with the session."""
        self._move_at = inf
        self._is_attempt = False  # True if the connection is a new one on which the session has not gone on
        self.queue_frame(
            Hello(
                min_version=VERSION,
                max_version=VERSION,
                capabilities=Capabilities.RESUME if config.resume_window_ms else 0,
                max_message=config.max_message,
                credit_bytes=config.credit_bytes,
                credit_messages=config.credit_messages,
                resume_window_ms=config.resume_window_ms,
                ping_timeout_ms=config.ping_timeout_ms,
                data=data,
            )
        )
        self.flush(now)

    @property
    def peer_data(self) -> bytes:
        """The data with which the server's application has accepted."""
        return self._welcome.data if self._welcome else b""

    @property
    def session_id(self) -> bytes:
        """16 bytes, chosen by the server."""
        return self._welcome.session_id if self._welcome else b""

    def _check_speaks_protocol(self, message: bytes) -> None:
        if self._welcome is None and not _is_answer(message):
            raise Violation("the server does not speak the session protocol", CloseReason.PROTOCOL_ERROR)

    def _on_setup_frame(self, frame: Frame) -> bool:
        if self.phase is Phase.RESUMING:
            return self._on_resuming_frame(frame)
        if self.phase is not Phase.SETTING_UP:
            return False
        if isinstance(frame, GoAway) and self._welcome is None and self.going_away is None:
            self.going_away = going_away(frame, self._now)  # why it rejects is in the next frame
        elif isinstance(frame, Reject) and self._welcome is None:
            self.rejected = True
            reason = reason_of(frame.reason)
            self._finish(SessionEnd(ClosedBy.PEER, reason, frame.code, frame.text, frame.data, is_confirmed=False))
            self.transport.close(frame.code, truncate_text(frame.text), False)
        elif isinstance(frame, Welcome) and self._welcome is None and self.going_away is None:
            self._on_welcome(frame)
        elif isinstance(frame, Ready) and self._welcome is not None and frame.epoch == self._welcome.epoch:
            self._establish(self._welcome.credit_bytes, self._welcome.credit_messages)
        else:
            raise Violation(f"{type(frame).__name__} arrived during the handshake")
        return True

    def _on_welcome(self, welcome: Welcome) -> None:
        can_resume = bool(welcome.capabilities & Capabilities.RESUME)
        if (
            welcome.version != VERSION
            or (welcome.capabilities and not can_resume)
            or welcome.epoch != FIRST_EPOCH
            or (can_resume, can_resume) != (welcome.token != b"", welcome.resume_window_ms > 0)
            or welcome.resume_window_ms > self.config.resume_window_ms
        ):
            raise Violation("the server has accepted what was not offered")
        self._welcome = welcome
        self._token = welcome.token
        self.is_durable = bool(welcome.capabilities & Capabilities.DURABLE)
        self._keep_for_resuming(welcome.resume_window_ms)
        self.outbox.limit(welcome.max_message)
        self.keep_alive.timeout = welcome.ping_timeout_ms / 1000.0
        self.queue_frame(Confirm(welcome.epoch))

    # ---- a server that goes away ----

    def move(self, now: float) -> None:
        """Leave a server that is going away: for another connection if the session is durable, else with a goodbye."""
        self._now = now
        if self.going_away is not None and self.is_established:
            self._move()
            self._progress()

    def _move(self) -> None:
        self._move_at = inf
        announcement = self.going_away
        if announcement is None or not self.is_established:
            return
        if not self.is_durable:
            # The application reads on: only what it would send now has to go to the next server.
            self._say_goodbye(Bye(CloseReason.SERVER_SHUTTING_DOWN, EndReason.APP_GENERIC, announcement.text, {}, b""))
        elif self.phase is Phase.ESTABLISHED:
            reason, text = CloseReason.CONNECTION_LOST, "given up for another server"
            self._give_up_connection(SessionEnd(ClosedBy.LOCAL, reason, reason.native_code, text, is_confirmed=False))

    def _on_other_frame(self, frame: Frame) -> None:
        if not isinstance(frame, GoAway):
            super()._on_other_frame(frame)
            return
        self._frame_budget.spend(self._now)
        before, self.going_away = self.going_away, going_away(frame, self._now)
        if before is None or replace(before, deadline=self.going_away.deadline) != self.going_away:
            self.notices.append(self.going_away)
        if self.moves_at_once:
            self._move()
        else:
            left = self.going_away.deadline - self._now
            self._move_at = self._now + max(left - _HEAD_START, left * (1.0 - _HEAD_START_PART))

    def tick(self, now: float) -> None:
        """Do what is due."""
        if now >= self._move_at and self.phase is not Phase.ENDED:
            self._now = now
            self._move()
        super().tick(now)

    @property
    def next_tick(self) -> float:
        """When to call tick() at the latest. See Engine."""
        return inf if self.phase is Phase.ENDED else min(super().next_tick, self._move_at)

    def _accepts_data(self) -> bool:
        return self._welcome is not None and self.phase is not Phase.RESUMING

    # ---- resuming ----

    def reconnect(self, now: float) -> bool:
        """Give up the connection for another one, and return whether the session can go on there."""
        if not self.can_resume:
            return False
        self._now = now
        if self.phase is not Phase.DROPPED:
            reason = CloseReason.CONNECTION_LOST
            text = "given up for another connection"
            self._drop(SessionEnd(ClosedBy.LOCAL, reason, reason.native_code, text, is_confirmed=False))
        return True

    def attempt_failed(self, end: SessionEnd, now: float) -> None:
        """Take the failure of an attempt to get a new connection. The session ends if another one would fail, too."""
        if self.phase is Phase.DROPPED and self._is_final(end):
            self._now = now
            self._on_connection_end(end)

    def _on_connection_end(self, end: SessionEnd) -> None:
        # The session may still be there, or elsewhere. An attempt that was given up can end like this, too.
        if self._is_attempt and self.phase is not Phase.ENDED and not self._is_final(end):
            self._drop(end)
        else:
            super()._on_connection_end(end)

    def _is_final(self, end: SessionEnd) -> bool:
        return not _is_of_the_attempt(end) and (end.closed_by is ClosedBy.LOCAL or self.is_last_word())

    def _drop(self, why: SessionEnd) -> None:
        self._move_at = inf
        super()._drop(why)

    def _go_on(self) -> None:
        self.going_away = None  # what the server of an earlier connection has said is void
        self._is_attempt = False
        super()._go_on()

    def _begin_resuming(self, report: Ack) -> None:
        self._is_attempt = True
        self._setup_deadline = self._now + _ANSWER_TIMEOUT
        self.queue_frame(
            Resume(
                min_version=VERSION,
                max_version=VERSION,
                capabilities=Capabilities.RESUME,
                session_id=self.session_id,
                epoch=self._epoch,
                token=self._token,
                handled=report.handled,
                credit_bytes=report.credit_bytes,
                credit_messages=report.credit_messages,
            )
        )

    def _on_resuming_frame(self, frame: Frame) -> bool:
        if isinstance(frame, Resumed):
            if frame.epoch <= self._epoch or not frame.token:
                raise Violation("the server has resumed another epoch")
            self._take_report(Ack(frame.handled, frame.credit_bytes, frame.credit_messages))
            self._epoch, self._token = frame.epoch, frame.token
            self.queue_frame(Confirm(frame.epoch))
            self._go_on()
        elif isinstance(frame, ResumeFailed):
            reason = reason_of(frame.reason)
            lost = self._count_undelivered()
            end = SessionEnd(
                ClosedBy.PEER, reason, reason.native_code, frame.text, undelivered=lost, is_confirmed=False
            )
            # Of a session that is not in a store another server than the last one cannot know anything.
            if reason is CloseReason.SESSION_EXPIRED and not self.is_durable and not self.is_last_word():
                lost = CloseReason.CONNECTION_LOST
                self._give_up_connection(replace(end, reason=lost, code=lost.native_code, undelivered=0))
                return True
            text = connection_end_text(0, "the session was not resumed")
            self._abort_with(end, reason.native_code, text, linger=False)
        else:
            raise Violation(f"{type(frame).__name__} arrived instead of an answer to Resume")
        return True

    def _on_setup_timeout(self) -> None:
        if self.phase is Phase.RESUMING:
            reason, text = CloseReason.CONNECTION_LOST, "no answer to RESUME"
            self._give_up_connection(SessionEnd(ClosedBy.PROBLEM, reason, reason.native_code, text, is_confirmed=False))
            return
        text = "no answer to HELLO" if self._welcome is None else "no answer to CONFIRM"
        self._abort(ClosedBy.PROBLEM, CloseReason.ABORTED, None, f"the server was too slow: {text}")


def _is_of_the_attempt(end: SessionEnd) -> bool:
    """Return whether a connection may have ended for a reason that is not the session's: the server was full, say."""
    # A server that has read no RESUME in time, because this program was stopped, reports that as PROTOCOL_ERROR. It
    # does speak the protocol: the session is its own.
    return end.can_retry or end.reason is CloseReason.PROTOCOL_ERROR


def _is_answer(message: bytes) -> bool:
    try:
        return isinstance(decode(message), Welcome | GoAway | Reject | ResumeFailed)
    except FrameError:
        return False
