"""A raw client whose session is resumed, well or not, at a server that has a good client, too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import UnionType
from typing import Any

from support import PATIENCE, eventually

import gns_py.sync as gns
from gns_py.session import CloseReason, Phase
from gns_py.session.protocol import frames
from gns_py.session.protocol.frames import Data, Frame, Hello, Resume, Resumed, ResumeFailed
from gns_py.session.sync import Session, SessionConfig

TIMEOUT = 5.0 * PATIENCE
CONFIG = SessionConfig(credit_bytes=1000, credit_messages=50, max_message=500)
HELLO = Hello(1, 1, 1, 1000, 10_000, 100, 30_000, 0, b"evil")
INVALID = CloseReason.INVALID_INBOUND_MESSAGE
LOST = CloseReason.LOST_MESSAGES
TAKEN_OVER = CloseReason.SESSION_TAKEN_OVER
EXPIRED = CloseReason.SESSION_EXPIRED
FORGED = CloseReason.AUTHENTICATION_FAILED


@dataclass
class Victim:
    """A raw client's session: its present connection, and what RESUME has to show."""

    raw: gns.Connection
    session: Session
    claim: Resume

    def drop(self) -> None:
        """Lose the connection, as the server sees it."""
        self.raw.close(CloseReason.CONNECTION_LOST.native_code, linger=False)
        eventually(lambda: self.session.phase is Phase.DROPPED, TIMEOUT)


@dataclass
class Attacked:
    """A server that is attacked, and a good session of it."""

    opened: ExitStack
    server: Any = None
    good: Any = None
    served: dict[bytes, Session] = field(default_factory=dict)
    ends: list[CloseReason] = field(default_factory=list)
    may_read: threading.Event = field(default_factory=threading.Event)

    def connect(self, *first: Frame) -> gns.Connection:
        """Connect without a session, and say something."""
        raw = self.opened.enter_context(gns.connect(*self.server.address))
        if first:
            say(raw, *first)
        return raw

    def establish(self, hello: Hello = HELLO, raw: gns.Connection | None = None) -> Victim:
        """Make the raw client's session."""
        raw = self.connect() if raw is None else raw
        say(raw, hello)
        welcome = hear(raw, frames.Welcome)
        say(raw, frames.Confirm(1))
        hear(raw, frames.Ready)
        eventually(lambda: welcome.session_id in self.served, TIMEOUT)
        claim = Resume(1, 1, 1, welcome.session_id, 1, welcome.token, {}, hello.credit_bytes, hello.credit_messages)
        return Victim(raw, self.served[welcome.session_id], claim)

    def resume(self, victim: Victim, **changes: Any) -> Resumed:
        """Resume the raw client's session in the right way, and return what the server has answered."""
        raw = self.connect(replace(victim.claim, **changes))
        resumed: Resumed = hear(raw, Resumed)
        say(raw, frames.Confirm(resumed.epoch))
        victim.raw = raw
        victim.claim = replace(victim.claim, epoch=resumed.epoch, token=resumed.token)
        return resumed

    def check_goes_on(self) -> None:
        """Check that the good session goes on."""
        self.good.send(b"still here")
        assert self.good.recv(timeout=TIMEOUT) == b"still here"


def say(raw: gns.Connection, *order: Frame) -> None:
    raw.send_many([each.encode() for each in order], nagle=False)


def hear(raw: gns.Connection, kind: type[Frame] | UnionType) -> Any:
    frame = frames.decode(raw.recv(timeout=TIMEOUT))
    assert isinstance(frame, kind), frame
    return frame


def check_refused(raw: gns.Connection, reason: CloseReason) -> None:
    failed = hear(raw, ResumeFailed)
    assert failed.reason == reason
    assert len(failed.text) > 10


def check_closed(raw: gns.Connection, *reasons: CloseReason) -> None:
    end = raw.wait_closed(timeout=TIMEOUT)
    assert (end.code, end.closed_by.name) in [(reason.native_code, "PEER") for reason in reasons], end


def check_serves(victim: Victim, number: int) -> None:
    """Check that the raw client's session goes on, with the message of this number."""
    say(victim.raw, Data(number, b"question"))
    assert hear(victim.raw, Data) == Data(number, b"question")


AttackedMaker = Callable[..., Attacked]
