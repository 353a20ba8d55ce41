"""The engine of the end that connects."""

from __future__ import annotations

from math import inf

from ...end import ClosedBy
from .config import SessionConfig
from .fields import FrameError
from .frames import (
    FIRST_EPOCH,
    VERSION,
    Ack,
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
from .reasons import CloseReason, SessionEnd, connection_end_text, reason_of, truncate_text
from .resuming import ResumableEngine
from .state import Phase
from .transport import Transport
from .violation import Violation

# Seconds from a new connection to the server's answer; then another one is tried.
_ANSWER_TIMEOUT = 5.0


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
            self.going_away = frame  # why it rejects is in the next frame
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
        if self.phase is Phase.DROPPED and not _is_of_the_attempt(end):
            self._now = now
            self._on_connection_end(end)

    def _on_connection_end(self, end: SessionEnd) -> None:
        if self.phase is Phase.RESUMING and _is_of_the_attempt(end):  # the session may still be there
            self._drop(end)
        else:
            super()._on_connection_end(end)

    def _begin_resuming(self, report: Ack) -> None:
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
            self._abort_with(
                end, reason.native_code, connection_end_text(0, "the session was not resumed"), linger=False
            )
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

    def _on_other_frame(self, frame: Frame) -> None:
        if not isinstance(frame, GoAway):
            super()._on_other_frame(frame)
            return
        self._frame_budget.spend(self._now)
        self.going_away = frame


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
