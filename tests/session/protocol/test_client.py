"""A client's handshake against every answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.framing import Line

from gns_py import ClosedBy
from gns_py.message import Message
from gns_py.session import CloseReason
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.frames import (
    Bye,
    Confirm,
    Frame,
    GoAway,
    Hello,
    Ping,
    Ready,
    Reject,
    ResumeFailed,
    Welcome,
)
from gns_py.session.protocol.state import Phase

WELCOME = Welcome(1, 0, b"sixteen bytes id", 1, b"", 1_000, 2_000, 8, 0, 1_500, b"welcome")
GOAWAY = GoAway(CloseReason.SERVER_SHUTTING_DOWN, 1_000, "soon", ("10.0.0.1:1",))


def client(*frames: Frame, deadline: float | None = 10.0) -> tuple[ClientEngine, Line]:
    line = Line()
    engine = ClientEngine(line, SessionConfig(ping_timeout=2.0), b"data", deadline, 0.0)
    for frame in frames:
        receive(engine, frame)
    return engine, line


def receive(engine: ClientEngine, frame: Frame, now: float = 1.0) -> None:
    engine.receive(Message(frame.encode(), 1, 0, True, 0), now)


def test_it_begins_with_hello() -> None:
    engine, line = client()
    (hello,) = line.frames
    assert isinstance(hello, Hello)
    assert (hello.data, hello.ping_timeout_ms) == (b"data", 2_000)
    assert (engine.session_id, engine.peer_data) == (b"", b"")


def test_a_welcome_is_confirmed_and_ready_establishes() -> None:
    engine, line = client(WELCOME)
    assert line.frames[-1] == Confirm(1)
    assert not engine.was_established
    receive(engine, Ready(1))
    assert engine.phase is Phase.ESTABLISHED
    assert (engine.session_id, engine.peer_data) == (WELCOME.session_id, b"welcome")
    assert engine.keep_alive.timeout == 1.5


def test_a_rejection_is_the_end_with_the_servers_words() -> None:
    engine, line = client(Reject(CloseReason.AUTHENTICATION_FAILED, 1_234, "no", b"data"))
    assert engine.rejected
    assert engine.end is not None
    assert (engine.end.closed_by, engine.end.reason) == (ClosedBy.PEER, CloseReason.AUTHENTICATION_FAILED)
    assert (engine.end.code, engine.end.text, engine.end.data) == (1_234, "no", b"data")
    assert line.closed == (1_234, "no", False)


def test_a_server_that_goes_away_may_say_where_before_it_rejects() -> None:
    engine, _ = client(GOAWAY)
    assert engine.phase is Phase.SETTING_UP
    receive(engine, Reject(CloseReason.SERVER_SHUTTING_DOWN, 1_000, "later", b""))
    assert engine.rejected
    assert engine.end is not None
    assert engine.end.reason is CloseReason.SERVER_SHUTTING_DOWN
    assert engine.going_away is not None
    assert engine.going_away.addresses == (("10.0.0.1", 1),)
    assert not engine.notices


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([Ping(1)], CloseReason.PROTOCOL_ERROR),
        ([Ready(1)], CloseReason.PROTOCOL_ERROR),
        ([ResumeFailed(1, "")], CloseReason.INVALID_INBOUND_MESSAGE),
        ([GOAWAY, GOAWAY], CloseReason.INVALID_INBOUND_MESSAGE),
        ([GOAWAY, WELCOME], CloseReason.INVALID_INBOUND_MESSAGE),
        ([WELCOME, GOAWAY], CloseReason.INVALID_INBOUND_MESSAGE),
        ([GOAWAY, Ping(1)], CloseReason.PROTOCOL_ERROR),
        ([WELCOME, WELCOME], CloseReason.INVALID_INBOUND_MESSAGE),
        ([WELCOME, Ready(2)], CloseReason.INVALID_INBOUND_MESSAGE),
        ([WELCOME, Reject(14, 1_000, "", b"")], CloseReason.INVALID_INBOUND_MESSAGE),
        ([WELCOME, Bye(4, 1_000, "", {}, b"")], CloseReason.INVALID_INBOUND_MESSAGE),
        ([replace(WELCOME, version=2)], CloseReason.INVALID_INBOUND_MESSAGE),
    ],
)
def test_wrong_answers_are_violations(frames: list[Frame], reason: CloseReason) -> None:
    engine, line = client(*frames)
    assert engine.end is not None
    assert (engine.end.closed_by, engine.end.reason) == (ClosedBy.LOCAL, reason)
    assert line.closed is not None
    assert line.closed[0] == reason.native_code


@pytest.mark.parametrize(("frames", "text"), [((), "no answer to HELLO"), ((WELCOME,), "no answer to CONFIRM")])
def test_a_server_that_is_too_slow_is_given_up(frames: tuple[Frame, ...], text: str) -> None:
    engine, _ = client(*frames)
    assert engine.next_tick == 10.0
    engine.tick(10.0)
    assert engine.end is not None
    assert (engine.end.closed_by, engine.end.reason) == (ClosedBy.PROBLEM, CloseReason.ABORTED)
    assert text in engine.end.text


def test_a_server_may_announce_its_end_but_not_endlessly() -> None:
    engine, _ = client(WELCOME, Ready(1))
    announcement = GoAway(CloseReason.SERVER_SHUTTING_DOWN, 1_000, "soon", ())
    for _ in range(200):
        receive(engine, announcement)
    assert engine.end is not None
    assert engine.end.reason is CloseReason.RATE_LIMITED


def test_a_server_that_sends_other_bytes_does_not_speak_the_protocol() -> None:
    engine, _ = client()
    engine.receive(Message(b"\xff", 1, 0, True, 0), 1.0)
    assert engine.end is not None
    assert engine.end.reason is CloseReason.PROTOCOL_ERROR
    assert engine.end.text == "the server does not speak the session protocol"
