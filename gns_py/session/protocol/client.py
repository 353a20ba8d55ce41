"""The engine of the end that connects."""

from __future__ import annotations

from math import inf

from ...end import ClosedBy
from .config import SessionConfig
from .engine import Engine, Phase
from .fields import FrameError
from .frames import FIRST_EPOCH, VERSION, Confirm, Frame, GoAway, Hello, Ready, Reject, ResumeFailed, Welcome, decode
from .reasons import CloseReason, SessionEnd, reason_of, truncate_text
from .transport import Transport
from .violation import Violation


class ClientEngine(Engine):
    """The end that has connected."""

    is_client = True

    def __init__(
        self, transport: Transport, config: SessionConfig, data: bytes, deadline: float | None, now: float
    ) -> None:
        super().__init__(transport, config, now)
        self._setup_deadline = inf if deadline is None else deadline
        self._welcome: Welcome | None = None
        self.queue_frame(
            Hello(
                min_version=VERSION,
                max_version=VERSION,
                capabilities=0,
                max_message=config.max_message,
                credit_bytes=config.credit_bytes,
                credit_messages=config.credit_messages,
                resume_window_ms=0,
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
        if self.phase is not Phase.SETTING_UP:
            return False
        if isinstance(frame, Reject) and self._welcome is None:
            self.rejected = True
            reason = reason_of(frame.reason)
            self._finish(SessionEnd(ClosedBy.PEER, reason, frame.code, frame.text, frame.data, is_confirmed=False))
            self.transport.close(frame.code, truncate_text(frame.text), False)
        elif isinstance(frame, Welcome) and self._welcome is None:
            self._on_welcome(frame)
        elif isinstance(frame, Ready) and self._welcome is not None and frame.epoch == self._welcome.epoch:
            self._establish(self._welcome.credit_bytes, self._welcome.credit_messages)
        else:
            raise Violation(f"{type(frame).__name__} arrived during the handshake")
        return True

    def _on_welcome(self, welcome: Welcome) -> None:
        if welcome.version != VERSION or welcome.capabilities or welcome.token or welcome.epoch != FIRST_EPOCH:
            raise Violation("the server has accepted what was not offered")
        self._welcome = welcome
        self.outbox.limit(welcome.max_message)
        self.keep_alive.timeout = welcome.ping_timeout_ms / 1000.0
        self.queue_frame(Confirm(welcome.epoch))

    def _accepts_data(self) -> bool:
        return self._welcome is not None

    def _on_setup_timeout(self) -> None:
        text = "no answer to HELLO" if self._welcome is None else "no answer to CONFIRM"
        self._abort(ClosedBy.PROBLEM, CloseReason.ABORTED, None, f"the server was too slow: {text}")

    def _on_other_frame(self, frame: Frame) -> None:
        if not isinstance(frame, GoAway):
            super()._on_other_frame(frame)
            return
        self._frame_budget.spend(self._now)
        self.going_away = frame


def _is_answer(message: bytes) -> bool:
    try:
        return isinstance(decode(message), Welcome | Reject | ResumeFailed)
    except FrameError:
        return False
