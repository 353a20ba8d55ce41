"""The engine of the end that listens."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from enum import Enum, auto

from ..._generated.enums import EndReason
from ...end import ClosedBy
from ...errors import InvalidStateError
from .config import SessionConfig
from .departure import Departure
from .frames import (
    FIRST_EPOCH,
    VERSION,
    Ack,
    Capabilities,
    Confirm,
    Frame,
    Hello,
    Ready,
    Reject,
    Resume,
    Resumed,
    ResumeFailed,
    Welcome,
)
from .reasons import CloseReason, SessionEnd, reason_of, truncate_text
from .resuming import ResumableEngine
from .state import Phase
from .tokens import Tokens
from .transport import Transport
from .violation import Violation

WRONG_VERSION = f"this server speaks version {VERSION} of the session protocol"


class ServerStep(Enum):
    """The event that a server waits for, or how its handshake ended."""

    HELLO = auto()
    RESUME = auto()
    DECISION = auto()
    STORING = auto()
    CONFIRM = auto()
    NOTHING = auto()
    REJECTED = auto()
    GAVE_WAY = auto()
    REFUSED = auto()
    HANDED_OVER = auto()


class ServerEngine(ResumableEngine):
    """The end that listens. It begins with a handshake, for a session of its own or for one that is to be resumed.

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
        self._window_ms = 0
        self.key: str | None = None
        """Another session with this key ends this one."""
        self.is_asked = False
        """True once the request, or the wish to resume, was passed on to those who decide."""
        self.resume: Resume | None = None
        """The client's wish to resume another session on this connection."""
        self.departure: Departure | None = None
        """The server's plan to shut down, of which the client is told."""
        self._session_id = secrets.token_bytes(16)
        self._tokens = Tokens()

    @property
    def session_id(self) -> bytes:
        """16 bytes that cannot be guessed. A store may choose them, which can say then whether the session is over."""
        return self._session_id

    @session_id.setter
    def session_id(self, session_id: bytes) -> None:
        self._session_id = session_id

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
        self._accept(self._make_welcome(self._check_undecided(), data), now)

    def _check_undecided(self) -> Hello:
        if not self.is_undecided or self.hello is None:
            raise InvalidStateError(f"there is nothing to accept: {self.end or 'it was accepted before'}")
        return self.hello

    def _accept(self, welcome: Welcome, now: float) -> None:
        self.queue_frame(welcome)
        self._window_ms = welcome.resume_window_ms
        self.keep_alive.timeout = welcome.ping_timeout_ms / 1000.0
        self._wait_for(ServerStep.CONFIRM, now + self.config.hello_timeout)
        self.flush(now)

    def _make_welcome(self, hello: Hello, data: bytes) -> Welcome:
        config = self.config
        window_ms = min(config.resume_window_ms, hello.resume_window_ms)
        can_resume = hello.capabilities & Capabilities.RESUME and window_ms > 0
        return Welcome(
            version=VERSION,
            capabilities=Capabilities.RESUME if can_resume else 0,
            session_id=self._session_id,
            epoch=FIRST_EPOCH,
            token=self._tokens.newest if can_resume else b"",
            max_message=config.max_message,
            credit_bytes=config.credit_bytes,
            credit_messages=config.credit_messages,
            resume_window_ms=window_ms if can_resume else 0,
            ping_timeout_ms=config.agreed_ping_timeout_ms(hello.ping_timeout_ms),
            data=data,
        )

    def refuse(self, reason: CloseReason, text: str, now: float) -> None:
        """End a handshake because there is no place for another session, whatever the application would say."""
        if self.phase is Phase.SETTING_UP:
            self._now = now
            self.step = ServerStep.REFUSED
            self._abort(ClosedBy.LOCAL, reason, None, text, linger=True)

    def turn_away(self, departure: Departure, now: float) -> None:
        """End a handshake because the server will shut down. A client that has said HELLO learns of other servers."""
        text = departure.text or "the server is closing"
        if not self.is_undecided:
            self.refuse(CloseReason.SERVER_SHUTTING_DOWN, text, now)
            return
        self._now = now
        self.queue_frame(departure.announce(now))
        self._reject(Reject(CloseReason.SERVER_SHUTTING_DOWN, EndReason.APP_GENERIC, text, b""))
        self.step = ServerStep.REFUSED

    @property
    def is_going_away(self) -> bool:
        """See SessionState."""
        return self.departure is not None

    def go_away(self, departure: Departure, now: float) -> None:
        """Tell the client that the server will shut down: once on each connection."""
        is_new = self.departure is None
        self.departure = departure
        if not is_new or self.phase is Phase.ENDED:
            return
        self._now = now
        self._announce_departure()
        self.flush(now)

    def _announce_departure(self) -> None:
        if self.departure is not None and self.phase is Phase.ESTABLISHED:
            self.queue_frame(self.departure.announce(self._now))

    def reject(self, reason: CloseReason, code: int, text: str, data: bytes, now: float) -> None:
        """Reject the session, for the application.

        Raises:
            InvalidStateError: It was accepted before.
        """
        if self.step in (ServerStep.STORING, ServerStep.CONFIRM, ServerStep.NOTHING):
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
        if self.phase is Phase.RESUMING:
            return self._on_resuming_frame(frame)
        if self.phase is not Phase.SETTING_UP:
            return False
        if self.step is ServerStep.HELLO and isinstance(frame, Hello):
            self._on_hello(frame)
        elif self.step is ServerStep.HELLO and isinstance(frame, Resume) and self.resume is None:
            self.resume = frame
            self._wait_for(ServerStep.RESUME, self._now + self.config.hello_timeout)
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
        if not speaks_version(hello):
            self._reject(Reject(CloseReason.VERSION_MISMATCH, EndReason.APP_EXCEPTION_GENERIC, WRONG_VERSION, b""))
            return
        self.hello = hello
        self.outbox.limit(hello.max_message)
        self._wait_for(ServerStep.DECISION, self._now + self.config.decision_timeout)

    def _on_confirm(self, hello: Hello) -> None:
        refusal = self._take_place()
        if refusal is not None:
            self.refuse(CloseReason.RATE_LIMITED, refusal, self._now)
            return
        self.queue_frame(Ready(FIRST_EPOCH))
        self.step = ServerStep.NOTHING
        self._keep_for_resuming(self._window_ms)
        self._establish(hello.credit_bytes, hello.credit_messages)

    def _accepts_data(self) -> bool:
        return self.phase is not Phase.SETTING_UP

    # ---- resuming ----

    def hand_over(self, now: float) -> None:
        """End this handshake: another session has its connection from now on."""
        self._now = now
        self.step = ServerStep.HANDED_OVER
        reason = CloseReason.SESSION_TAKEN_OVER
        self._finish(SessionEnd(ClosedBy.LOCAL, reason, reason.native_code, "resumed", is_confirmed=False))

    def refuse_resume(self, reason: CloseReason, text: str, now: float) -> None:
        """Say that no session is resumed on this connection. The client may say HELLO instead, once."""
        if self.step is ServerStep.RESUME and self.phase is Phase.SETTING_UP:
            self.step = ServerStep.HELLO
            self.is_asked = False
            self.queue_frame(ResumeFailed(reason, text))
            self.flush(now)

    def claim(self, resume: Resume, now: float) -> tuple[CloseReason, str] | None:
        """Give up the present connection, if there is one, for that of a client which wants to resume this session.

        Returns:
            None if the client may: connected() has to follow once its connection is there. Otherwise why not.
        """
        if not self.can_resume or now >= self._expires_at:
            return CloseReason.SESSION_EXPIRED, "this session cannot be resumed"
        if not speaks_version(resume):
            return CloseReason.VERSION_MISMATCH, WRONG_VERSION
        if not self._tokens.accept(resume.epoch, resume.token):
            return CloseReason.AUTHENTICATION_FAILED, "the token is not the session's"
        self._now = now
        if self.phase is not Phase.DROPPED:
            reason, text = CloseReason.SESSION_TAKEN_OVER, "the client has another connection"
            self._drop(SessionEnd(ClosedBy.LOCAL, reason, reason.native_code, text, is_confirmed=False))
        try:
            self._take_report(Ack(resume.handled, resume.credit_bytes, resume.credit_messages))
        except Violation as violation:
            self._on_violation(violation)
            return violation.reason, violation.text
        return None

    def make_way(self, reason: CloseReason, text: str, now: float) -> None:
        """End the session at once, for another one with the same key."""
        if self.phase is not Phase.ENDED:
            self._now = now
            self._abort(ClosedBy.LOCAL, reason, None, text)

    def give_up_waiting(self, reason: CloseReason, text: str, now: float) -> None:
        """End the session if it waits for another connection, which must not come any longer."""
        if self.is_behind and self.phase is not Phase.ENDED:
            self._now = now
            self._abort(ClosedBy.LOCAL, reason, None, text)

    def _begin_resuming(self, report: Ack) -> None:
        self._setup_deadline = self._now + self.config.hello_timeout
        self._tokens.renew()
        tokens = self._tokens
        self.queue_frame(
            Resumed(tokens.epoch, tokens.newest, report.handled, report.credit_bytes, report.credit_messages)
        )

    def _on_resuming_frame(self, frame: Frame) -> bool:
        if not isinstance(frame, Confirm) or frame.epoch != self._tokens.epoch:
            raise Violation(f"{type(frame).__name__} arrived instead of the epoch's Confirm")
        self._tokens.confirm()
        self._go_on()
        self._announce_departure()
        return True

    def _on_setup_timeout(self) -> None:
        if self.phase is Phase.RESUMING:
            reason, text = CloseReason.CONNECTION_LOST, "the client has not confirmed the new epoch"
            self._give_up_connection(SessionEnd(ClosedBy.PROBLEM, reason, reason.native_code, text, is_confirmed=False))
            return
        if self.step in (ServerStep.DECISION, ServerStep.STORING):
            text = "the server did not decide in time"
            self._reject(Reject(CloseReason.REJECTED, EndReason.APP_GENERIC, text, b""))
        elif self.step is ServerStep.RESUME:
            self.refuse(CloseReason.INTERNAL_ERROR, "the session was not restored in time", self._now)
        else:
            text = f"no {self.step.name} arrived in time: this is a server of gns_py sessions"
            self._abort(ClosedBy.LOCAL, CloseReason.PROTOCOL_ERROR, None, text, linger=True)

    def _wait_for(self, step: ServerStep, deadline: float) -> None:
        self.step = step
        self._setup_deadline = deadline


def speaks_version(wish: Hello | Resume) -> bool:
    """Return whether a client speaks the version of this server."""
    return wish.min_version <= VERSION <= wish.max_version
