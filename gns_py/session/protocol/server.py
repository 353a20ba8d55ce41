"""The engine of the end that listens."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum, auto

from ..._generated.enums import EndReason
from ...end import ClosedBy
from ...errors import InvalidStateError
from .config import SessionConfig
from .engine import Engine, Phase
from .frames import FIRST_EPOCH, VERSION, Confirm, Frame, Hello, Ready, Reject, Resume, ResumeFailed, Welcome
from .reasons import CloseReason, SessionEnd, reason_of, truncate_text
from .transport import Transport
from .violation import Violation


class ServerStep(Enum):
    """The event that a server waits for, or how its handshake ended."""

    HELLO = auto()
    DECISION = auto()
    CONFIRM = auto()
    NOTHING = auto()
    REJECTED = auto()
    GAVE_WAY = auto()
    REFUSED = auto()


class ServerEngine(Engine):
    """The end that listens.

    Args:
        transport: Carries the frames.
        config: The settings.
        now: The time.
        take_place: Called before the session is established; returns why there is no place for it, or None.
    """

    is_client = False

    def __init__(
        self,
        transport: Transport,
        config: SessionConfig,
        now: float,
        take_place: Callable[[], str | None] = lambda: None,
    ) -> None:
        super().__init__(transport, config, now)
        self._take_place = take_place
        self._setup_deadline = now + config.hello_timeout
        self.step = ServerStep.HELLO
        self.hello: Hello | None = None
        self.is_asked = False
        """True once the application has the request."""
        self._session_id = secrets.token_bytes(16)

    @property
    def session_id(self) -> bytes:
        """16 bytes that cannot be guessed."""
        return self._session_id

    @property
    def peer_data(self) -> bytes:
        """The data in the client's HELLO."""
        return self.hello.data if self.hello else b""

    @property
    def is_undecided(self) -> bool:
        """True while the application has to accept or reject."""
        return self.step is ServerStep.DECISION and self.phase is Phase.SETTING_UP

    @property
    def waits_for_client(self) -> bool:
        """True while the handshake goes on only if the client says something."""
        return self.step in (ServerStep.HELLO, ServerStep.CONFIRM) and self.phase is Phase.SETTING_UP

    def give_way(self, now: float) -> None:
        """End a handshake that still waits for its client, to make room for another one."""
        if self.waits_for_client:
            self._now = now
            self.step = ServerStep.GAVE_WAY
            self._abort(ClosedBy.LOCAL, CloseReason.RATE_LIMITED, None, "too many are just connecting")

    def abort_handshake(self, code: int, text: str, now: float) -> None:
        """End the session at once if it is not established yet."""
        if self.phase is Phase.SETTING_UP:
            self.abort(code, text, now)

    def accept(self, data: bytes, now: float) -> None:
        """Accept the session, for the application.

        Raises:
            InvalidStateError: There is nothing to accept, or it was accepted before.
        """
        hello = self.hello
        if not self.is_undecided or hello is None:
            raise InvalidStateError(f"there is nothing to accept: {self.end or 'it was accepted before'}")
        config = self.config
        welcome = Welcome(
            version=VERSION,
            capabilities=0,
            session_id=self._session_id,
            epoch=FIRST_EPOCH,
            token=b"",
            max_message=config.max_message,
            credit_bytes=config.credit_bytes,
            credit_messages=config.credit_messages,
            resume_window_ms=0,
            ping_timeout_ms=config.agreed_ping_timeout_ms(hello.ping_timeout_ms),
            data=data,
        )
        self.queue_frame(welcome)
        self.keep_alive.timeout = welcome.ping_timeout_ms / 1000.0
        self._wait_for(ServerStep.CONFIRM, now + config.hello_timeout)
        self.flush(now)

    def reject(self, reason: CloseReason, code: int, text: str, data: bytes, now: float) -> None:
        """Reject the session, for the application.

        Raises:
            InvalidStateError: It was accepted before.
        """
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

    def _check_speaks_protocol(self, message: bytes) -> None:
        if self.step is ServerStep.HELLO and not message.startswith((Hello.PREFIX, Resume.PREFIX)):
            raise Violation("this is a server of gns_py sessions: say HELLO first", CloseReason.PROTOCOL_ERROR)

    def _on_setup_frame(self, frame: Frame) -> bool:
        if self.phase is not Phase.SETTING_UP:
            return False
        if self.step is ServerStep.HELLO and isinstance(frame, Hello):
            self._on_hello(frame)
        elif self.step is ServerStep.HELLO and isinstance(frame, Resume):
            self.queue_frame(ResumeFailed(CloseReason.SESSION_EXPIRED, "this server does not resume sessions"))
        elif (
            self.step is ServerStep.CONFIRM
            and isinstance(frame, Confirm)
            and frame.epoch == FIRST_EPOCH
            and self.hello is not None
        ):
            self._on_confirm(self.hello)
        else:
            raise Violation(f"{type(frame).__name__} arrived during the handshake")
        return True

    def _on_hello(self, hello: Hello) -> None:
        if not hello.min_version <= VERSION <= hello.max_version:
            text = f"this server speaks version {VERSION} of the session protocol"
            self._reject(Reject(CloseReason.VERSION_MISMATCH, EndReason.APP_EXCEPTION_GENERIC, text, b""))
            return
        self.hello = hello
        self.outbox.limit(hello.max_message)
        self._wait_for(ServerStep.DECISION, self._now + self.config.decision_timeout)

    def _on_confirm(self, hello: Hello) -> None:
        refusal = self._take_place()
        if refusal is not None:
            self.step = ServerStep.REFUSED
            self._abort(ClosedBy.LOCAL, CloseReason.RATE_LIMITED, None, refusal, linger=True)
            return
        self.queue_frame(Ready(FIRST_EPOCH))
        self.step = ServerStep.NOTHING
        self._establish(hello.credit_bytes, hello.credit_messages)

    def _accepts_data(self) -> bool:
        return self.phase is not Phase.SETTING_UP

    def _on_setup_timeout(self) -> None:
        if self.step is ServerStep.DECISION:
            text = "the server did not decide in time"
            self._reject(Reject(CloseReason.REJECTED, EndReason.APP_GENERIC, text, b""))
        else:
            text = f"no {self.step.name} arrived in time: this is a server of gns_py sessions"
            self._abort(ClosedBy.LOCAL, CloseReason.PROTOCOL_ERROR, None, text, linger=True)

    def _wait_for(self, step: ServerStep, deadline: float) -> None:
        self.step = step
        self._setup_deadline = deadline
