"""How a session begins, at either end."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum, auto

from ..._generated.enums import EndReason
from ...errors import InvalidStateError
from ...events import ClosedBy
from .config import SessionConfig
from .engine import Engine, Phase
from .frames import VERSION, Confirm, Frame, Hello, Ready, Reject, Resume, ResumeFailed, Welcome
from .reasons import CloseReason, SessionEnd, reason_of, truncate_text
from .transport import Transport
from .violation import Violation

_FIRST_EPOCH = 1


class ServerStep(Enum):
    """What a server waits for."""

    HELLO = auto()
    DECISION = auto()
    CONFIRM = auto()
    NOTHING = auto()
    REJECTED = auto()
    GAVE_WAY = auto()
    REFUSED = auto()


class ServerEngine(Engine):
    """The end that listens."""

    is_client = False

    def __init__(
        self,
        transport: Transport,
        config: SessionConfig,
        now: float,
        take_place: Callable[[], str | None] = lambda: None,
    ) -> None:
        """take_place: called before the session is established; where there is no place for it, it says why."""
        super().__init__(transport, config, now)
        self._take_place = take_place
        self._setup_deadline = now + config.hello_timeout
        self.step = ServerStep.HELLO
        self.hello: Hello | None = None
        self.is_asked = False
        """Whether the application has got the request."""
        self._session_id = secrets.token_bytes(16)

    @property
    def session_id(self) -> bytes:
        """16 bytes that nobody can guess."""
        return self._session_id

    @property
    def peer_data(self) -> bytes:
        """What the client has come with."""
        return self.hello.data if self.hello else b""

    @property
    def is_undecided(self) -> bool:
        """Whether the application is to accept or to reject."""
        return self.step is ServerStep.DECISION and self.phase is Phase.SETTING_UP

    def _check_speaks(self, message: bytes) -> None:
        if self.step is ServerStep.HELLO and not message.startswith((Hello.PREFIX, Resume.PREFIX)):
            raise Violation("this is a server of gns_py sessions: say HELLO first", CloseReason.PROTOCOL_ERROR)

    @property
    def waits_for_client(self) -> bool:
        """Whether the set-up goes on when the client says something."""
        return self.step in (ServerStep.HELLO, ServerStep.CONFIRM) and self.phase is Phase.SETTING_UP

    def give_way(self, now: float) -> None:
        """Another client gets its place, if the set-up still waits for this one."""
        if self.waits_for_client:
            self._now = now
            self.step = ServerStep.GAVE_WAY
            self._abort(ClosedBy.LOCAL, CloseReason.RATE_LIMITED, None, "too many are just connecting")

    def accept(self, data: bytes, now: float) -> None:
        """The application wants the session. Errors: InvalidStateError."""
        hello = self.hello
        if not self.is_undecided or hello is None:
            raise InvalidStateError(f"there is nothing to accept: {self.end or 'it was accepted before'}")
        config = self.config
        welcome = Welcome(
            version=VERSION,
            capabilities=0,
            session_id=self._session_id,
            epoch=_FIRST_EPOCH,
            token=b"",
            max_message=config.max_message,
            credit_bytes=config.credit_bytes,
            credit_messages=config.credit_messages,
            resume_window_ms=0,
            ping_timeout_ms=config.agreed_ping_timeout_ms(hello.ping_timeout_ms),
            data=data,
        )
        self.queue_frame(welcome)
        self._ping_timeout = welcome.ping_timeout_ms / 1000.0
        self._wait_for(ServerStep.CONFIRM, now + config.hello_timeout)
        self.flush(now)

    def reject(self, reason: CloseReason, code: int, text: str, data: bytes, now: float) -> None:
        """The application does not want the session. Errors: InvalidStateError."""
        if self.step in (ServerStep.CONFIRM, ServerStep.NOTHING):
            raise InvalidStateError("it was accepted before")
        if self.is_undecided:
            self._now = now
            self._reject(Reject(reason, code, text, data))

    def _reject(self, frame: Reject) -> None:
        self.step = ServerStep.REJECTED
        self.queue_frame(frame)
        self._flush()
        self.transport.close(frame.code, truncate_text(frame.text), True)
        reason = reason_of(frame.reason)
        self._finish(SessionEnd(ClosedBy.LOCAL, reason, frame.code, frame.text, is_confirmed=False))

    def _on_setup_frame(self, frame: Frame) -> bool:
        if self.phase is not Phase.SETTING_UP:
            return False
        if self.step is ServerStep.HELLO and isinstance(frame, Hello):
            if not frame.min_version <= VERSION <= frame.max_version:
                text = f"this server speaks version {VERSION} of the session protocol"
                self._reject(Reject(CloseReason.VERSION_MISMATCH, EndReason.APP_EXCEPTION_GENERIC, text, b""))
                return True
            self.hello = frame
            self.outbox.limit(frame.max_message)
            self._wait_for(ServerStep.DECISION, self._now + self.config.decision_timeout)
        elif self.step is ServerStep.HELLO and isinstance(frame, Resume):
            self.queue_frame(ResumeFailed(CloseReason.SESSION_EXPIRED, "this server does not resume sessions"))
        elif (
            self.step is ServerStep.CONFIRM
            and isinstance(frame, Confirm)
            and frame.epoch == _FIRST_EPOCH
            and self.hello is not None
        ):
            refusal = self._take_place()
            if refusal is not None:
                self.step = ServerStep.REFUSED
                self._abort(ClosedBy.LOCAL, CloseReason.RATE_LIMITED, None, refusal, linger=True)
                return True
            self.queue_frame(Ready(frame.epoch))
            self.step = ServerStep.NOTHING
            self._establish(self.hello.credit_bytes, self.hello.credit_messages)
        else:
            raise Violation(f"{type(frame).__name__} came in the set-up")
        return True

    def _takes_data(self) -> bool:
        return self.phase is not Phase.SETTING_UP

    def _on_setup_timeout(self) -> None:
        if self.step is ServerStep.DECISION:
            text = "the server did not decide in time"
            self._reject(Reject(CloseReason.REJECTED, EndReason.APP_GENERIC, text, b""))
        else:
            text = f"no {self.step.name} came in time: this is a server of gns_py sessions"
            self._abort(ClosedBy.LOCAL, CloseReason.PROTOCOL_ERROR, None, text, linger=True)

    def _wait_for(self, step: ServerStep, deadline: float) -> None:
        self.step = step
        self._setup_deadline = deadline
