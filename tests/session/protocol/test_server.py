"""A server's handshake: its steps, its decisions, and what clients may do wrong."""

from __future__ import annotations

import pytest
from support.framing import Line

from gns_py import ClosedBy, InvalidStateError
from gns_py.message import Message
from gns_py.session import CloseReason
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.frames import (
    Confirm,
    Frame,
    GoAway,
    Hello,
    Ping,
    Ready,
    Reject,
    Resume,
    ResumeFailed,
    Welcome,
)
from gns_py.session.protocol.server import ServerEngine, ServerStep
from gns_py.session.protocol.state import Phase

CONFIG = SessionConfig(hello_timeout=5.0, decision_timeout=20.0)
HELLO = Hello(1, 1, 0, 1_000, 2_000, 8, 0, 3_000, b"hello")
RESUME = Resume(1, 1, 0, b"sixteen bytes id", 1, b"", {}, 1, 1)


def server(*frames: Frame, full: str | None = None) -> tuple[ServerEngine, Line]:
    line = Line()
    engine = ServerEngine(line, CONFIG, 0.0, lambda: full)
    for frame in frames:
        receive(engine, frame)
    return engine, line


def receive(engine: ServerEngine, frame: Frame, now: float = 1.0) -> None:
    engine.receive(Message(frame.encode(), 1, 0, True, 0), now)


def test_a_handshake_in_its_steps() -> None:
    engine, line = server()
    assert engine.step is ServerStep.HELLO
    assert engine.waits_for_client
    receive(engine, HELLO)
    assert engine.is_undecided
    assert not engine.waits_for_client
    assert engine.peer_data == b"hello"
    engine.accept(b"welcome", 2.0)
    (welcome,) = line.frames
    assert isinstance(welcome, Welcome)
    assert (welcome.data, welcome.session_id, welcome.ping_timeout_ms) == (b"welcome", engine.session_id, 3_000)
    assert engine.step is ServerStep.CONFIRM
    receive(engine, Confirm(1))
    assert engine.phase is Phase.ESTABLISHED
    assert engine.step is ServerStep.NOTHING
    assert line.frames[-1] == Ready(1)


def test_a_rejection() -> None:
    engine, line = server(HELLO)
    engine.reject(CloseReason.REJECTED, 1_234, "no", b"data", 2.0)
    assert line.frames[-1] == Reject(CloseReason.REJECTED, 1_234, "no", b"data")
    assert line.closed == (1_234, "no", True)
    assert engine.step is ServerStep.REJECTED
    engine.reject(CloseReason.REJECTED, 1_234, "again", b"", 2.0)
    assert engine.end is not None
    assert engine.end.text == "no"
    with pytest.raises(InvalidStateError, match=r"nothing to accept: .*no"):
        engine.accept(b"", 2.0)


def test_what_was_accepted_cannot_be_decided_again() -> None:
    engine, _ = server(HELLO)
    engine.accept(b"", 2.0)
    with pytest.raises(InvalidStateError, match="accepted before"):
        engine.accept(b"", 2.0)
    with pytest.raises(InvalidStateError, match="accepted before"):
        engine.reject(CloseReason.REJECTED, 1_000, "", b"", 2.0)


def test_a_version_that_the_server_does_not_speak() -> None:
    engine, line = server(Hello(2, 3, 0, 1_000, 2_000, 8, 0, 0, b""))
    (answer,) = line.frames
    assert isinstance(answer, Reject)
    assert answer.reason == CloseReason.VERSION_MISMATCH
    assert engine.step is ServerStep.REJECTED


def test_a_client_that_cannot_resume_may_go_on_with_hello() -> None:
    engine, line = server(RESUME)
    assert engine.step is ServerStep.RESUME
    assert engine.resume == RESUME
    engine.refuse_resume(CloseReason.SESSION_EXPIRED, "unknown", 1.0)
    assert line.frames == [ResumeFailed(CloseReason.SESSION_EXPIRED, "unknown")]
    receive(engine, HELLO)
    assert engine.is_undecided
    engine.refuse_resume(CloseReason.SESSION_EXPIRED, "too late", 1.0)
    assert len(line.frames) == 1


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_second_resume_on_a_connection_is_a_violation(is_refused: bool) -> None:
    engine, _ = server(RESUME)
    if is_refused:
        engine.refuse_resume(CloseReason.SESSION_EXPIRED, "unknown", 1.0)
    receive(engine, RESUME)
    assert engine.end is not None
    assert engine.end.reason is CloseReason.INVALID_INBOUND_MESSAGE


def test_a_handshake_hands_its_connection_over_without_closing_it() -> None:
    engine, line = server(RESUME)
    engine.hand_over(1.0)
    assert engine.step is ServerStep.HANDED_OVER
    assert engine.end is not None
    assert line.closed is None
    assert line.is_released


def test_a_session_for_which_there_is_no_place() -> None:
    engine, line = server(HELLO, full="the server is full")
    engine.accept(b"", 2.0)
    receive(engine, Confirm(1))
    assert engine.step is ServerStep.REFUSED
    assert not engine.was_established
    assert engine.end is not None
    assert (engine.end.reason, engine.end.text) == (CloseReason.RATE_LIMITED, "the server is full")
    assert line.closed == (CloseReason.RATE_LIMITED.native_code, "0000 the server is full", True)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (Ping(1), CloseReason.PROTOCOL_ERROR),
        (Confirm(1), CloseReason.PROTOCOL_ERROR),
    ],
)
def test_strangers_are_told_what_this_is(frame: Frame, reason: CloseReason) -> None:
    engine, _ = server(frame)
    assert engine.end is not None
    assert engine.end.reason is reason
    assert "say HELLO first" in engine.end.text


def test_a_client_does_not_announce_its_end() -> None:
    engine, _ = server(HELLO)
    engine.accept(b"", 2.0)
    receive(engine, Confirm(1))
    receive(engine, GoAway(18, 1_000, "", ()))
    assert engine.end is not None
    assert engine.end.text == "GoAway arrived where it is not allowed"


@pytest.mark.parametrize(
    ("steps", "timeout", "text"),
    [
        (0, 5.0, "no HELLO arrived in time"),
        (1, 21.0, "the server did not decide in time"),
        (2, 7.0, "no CONFIRM arrived in time"),
    ],
)
def test_every_step_has_a_time_limit(steps: int, timeout: float, text: str) -> None:
    engine, _ = server(*[HELLO][:steps])
    if steps == 2:
        engine.accept(b"", 2.0)
    assert engine.next_tick == timeout
    engine.tick(timeout - 0.1)
    assert engine.end is None
    engine.tick(timeout)
    assert engine.end is not None
    assert engine.end.closed_by is ClosedBy.LOCAL
    assert text in engine.end.text


def test_a_handshake_gives_way_only_while_it_waits_for_its_client() -> None:
    engine, _ = server(HELLO)
    engine.give_way(1.0)
    assert engine.end is None
    engine, _ = server()
    engine.give_way(1.0)
    assert engine.step is ServerStep.GAVE_WAY
    assert engine.end is not None
    assert engine.end.reason is CloseReason.RATE_LIMITED


def test_only_a_handshake_is_aborted_as_one() -> None:
    """A server that closes aborts handshakes, and says goodbye to sessions: one may be established at that moment."""
    engine, _ = server(HELLO)
    engine.abort_handshake(1000, "the server is closing", 1.0)
    assert engine.end is not None
    assert engine.end.reason is CloseReason.ABORTED
    engine, _ = server(HELLO)
    engine.accept(b"", 1.0)
    receive(engine, Confirm(1))
    engine.abort_handshake(1000, "the server is closing", 2.0)
    assert engine.phase is Phase.ESTABLISHED
