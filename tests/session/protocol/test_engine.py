"""One engine against a peer, a network and a clock that do anything."""

from __future__ import annotations

from math import inf

import pytest
from support.framing import Line, take

from gns_py import ClosedBy, ConnectionEnd, MessageTooLarge
from gns_py.message import Message
from gns_py.session import CloseReason
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.engine import Engine
from gns_py.session.protocol.frames import Ack, Bye, ByeAck, Data, Frame, Hello, Ping, Pong, Ready, Welcome
from gns_py.session.protocol.state import Phase

NOW = 1.0


def established(**settings: float) -> tuple[ClientEngine, Line]:
    line = Line()
    engine = ClientEngine(line, SessionConfig(**settings), b"", None, 0.0)  # type: ignore[arg-type]
    receive(engine, Welcome(1, 0, bytes(16), 1, b"", 1_000, 2_000, 8, 0, 3_000, b""))
    receive(engine, Ready(1))
    assert engine.phase is Phase.ESTABLISHED
    line.frames.clear()
    return engine, line


def receive(engine: Engine, frame: Frame, *, lane: int = 0, reliable: bool = True) -> None:
    engine.receive(Message(frame.encode(), 1, lane, reliable, 0), NOW)


def data(number: int = 1, *, lane: int = 0, reliable: bool = True) -> Message:
    return Message(b"data", number, lane, reliable, 0)


@pytest.mark.parametrize(
    ("frame", "lane", "reliable", "text"),
    [
        (Ping(1), 1, True, "Ping arrived unreliably, or on lane 1"),
        (Ack({}, 1, 1), 0, False, "Ack arrived unreliably, or on lane 0"),
        (Pong(1), 0, True, "Pong arrived without a Ping"),
        (ByeAck({}, b""), 0, True, "ByeAck arrived where it is not allowed"),
        (Hello(1, 1, 0, 1, 1, 1, 0, 0, b""), 0, True, "Hello arrived where it is not allowed"),
        (Data(1, b"x"), 0, True, "a message arrived without credit"),
    ],
)
def test_frames_out_of_place_are_violations(frame: Frame, lane: int, reliable: bool, text: str) -> None:
    engine, line = established()
    receive(engine, frame, lane=lane, reliable=reliable)
    assert engine.end is not None
    assert (engine.end.closed_by, engine.end.text) == (ClosedBy.LOCAL, text)
    assert line.closed is not None
    assert line.closed[1:] == (f"0000 {text}", True)


def test_bytes_that_are_not_a_frame_are_a_violation() -> None:
    engine, _ = established()
    engine.receive(Message(b"\xff", 1, 0, True, 0), NOW)
    assert engine.end is not None
    assert engine.end.reason is CloseReason.INVALID_INBOUND_MESSAGE
    assert engine.next_tick == inf


def test_after_a_goodbye_only_acks_and_what_was_announced_may_arrive() -> None:
    engine, _ = established()
    receive(engine, Bye(CloseReason.CLOSED_BY_SERVER, 1_000, "", {0: 1}, b""))
    assert engine.phase is Phase.CLOSING
    assert engine.delivered_end is None
    engine.receive_data(data(1), NOW)
    assert take(engine, NOW) is not None
    assert engine.delivered_end == engine.expected_end
    receive(engine, Ack({}, 2_000, 8))
    assert engine.end is None
    receive(engine, Ping(1))
    assert engine.end is not None
    assert engine.end.text == "Ping arrived after the goodbye"
    engine, _ = established()
    receive(engine, Bye(CloseReason.CLOSED_BY_SERVER, 1_000, "", {0: 1}, b""))
    engine.receive_data(data(2), NOW)
    assert engine.end is not None
    assert engine.end.reason is CloseReason.LOST_MESSAGES


def test_data_while_watched_goes_to_the_inbox_and_unknown_lanes_do_not() -> None:
    engine, _ = established()
    engine.receive_data(data(1, reliable=False), NOW)
    engine.receive_data(data(1), NOW)
    assert len(engine.inbox) == 2
    engine.receive_data(data(1, lane=255), NOW)
    assert engine.end is not None
    assert "lane 255" in engine.end.text
    engine.receive_data(data(2), NOW)
    engine.receive(data(2), NOW)
    assert len(engine.inbox) == 2  # they can still be read


def test_a_ping_before_the_answer_to_the_previous_one_is_a_violation() -> None:
    engine, line = established()
    receive(engine, Ping(1))
    assert line.frames == [Pong(1)]
    line.room = 0
    receive(engine, Ping(2))
    assert line.room_requests == 1
    receive(engine, Ping(3))
    assert engine.end is not None
    assert "before the answer to the previous one" in engine.end.text


def test_what_the_transport_refuses_is_sent_when_there_is_room() -> None:
    engine, line = established()
    line.room = 0
    receive(engine, Ping(1))
    engine.outbox.put(b"message", 0, True)
    engine.ask_for_room()
    assert line.room_requests == 2
    line.room = 10
    engine.flush(NOW)
    assert line.frames == [Pong(1), Data(1, b"message")]


def test_a_message_that_no_longer_fits_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, line = established()
    line.room = 0
    engine.outbox.put(b"message", 0, True)

    def refuse(*_: object) -> None:
        raise MessageTooLarge("too large now")

    monkeypatch.setattr(line, "send_data", refuse)
    engine.flush(NOW)
    assert engine.end is not None
    assert (engine.end.reason, engine.end.text) == (CloseReason.MESSAGE_TOO_LARGE, "too large now")
    assert engine.end.undelivered == 1


def test_a_silent_peer_is_pinged_and_given_up() -> None:
    engine, line = established()
    line.now = engine.next_tick
    engine.tick(line.now)
    assert line.frames == [Ping(1)]
    line.now = 10.0
    engine.tick(10.0)
    assert engine.end is not None
    assert (engine.end.closed_by, engine.end.reason) == (ClosedBy.PROBLEM, CloseReason.CLIENT_UNRESPONSIVE)


def test_an_application_that_does_not_answer_a_goodbye_is_answered_for() -> None:
    engine, line = established(close_timeout=5.0)
    receive(engine, Bye(CloseReason.CLOSED_BY_SERVER, 1_000, "", {}, b""))
    assert NOW < engine.next_tick < NOW + 5.0
    engine.tick(engine.next_tick)
    assert ByeAck({}, b"") in line.frames
    assert not engine.may_send


def test_closing_asks_a_peer_that_gives_no_credit_and_gives_up_at_last() -> None:
    engine, line = established(close_timeout=4.0)
    for _ in range(9):
        engine.outbox.put(b"x", 0, True)
    engine.close(CloseReason.CLOSED_BY_CLIENT, 1_000, "bye", b"", NOW)
    while engine.end is None:
        engine.tick(engine.next_tick)
    assert Ping(1) in line.frames
    assert engine.end.reason is CloseReason.ABORTED
    assert engine.end.text == "bye; given up with 1 messages, 1 bytes, not delivered"
    assert not engine.end.ok


@pytest.mark.parametrize("close_fails", [False, True])
def test_a_fault_is_the_end_whatever_else_fails(monkeypatch: pytest.MonkeyPatch, close_fails: bool) -> None:
    engine, line = established()
    if close_fails:
        monkeypatch.setattr(line, "close", lambda *_: 1 // 0)
    engine.fail("a fault", NOW)
    engine.fail("another one", NOW)
    assert engine.end is not None
    assert (engine.end.reason, engine.end.text) == (CloseReason.INTERNAL_ERROR, "a fault")


def test_a_goodbye_that_cannot_be_said_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, _ = established()
    monkeypatch.setattr(engine, "queue_frame", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        engine.close(CloseReason.CLOSED_BY_CLIENT, 1_000, "", b"", NOW)
    assert engine.end is not None
    assert (engine.end.reason, engine.end.text) == (CloseReason.INTERNAL_ERROR, "the goodbye could not be said")
    assert engine.has_delivered(engine.end)


def test_closing_before_the_session_is_established_gives_it_up() -> None:
    line = Line()
    engine = ClientEngine(line, SessionConfig(), b"", None, 0.0)
    engine.close(CloseReason.CLOSED_BY_CLIENT, 1_234, "never mind", b"", NOW)
    assert engine.end is not None
    assert (engine.end.code, engine.end.text, engine.was_established) == (1_234, "never mind", False)
    assert line.closed == (CloseReason.CLOSED_BY_CLIENT.native_code, "1234 never mind", False)
    for act in (engine.flush, engine.tick):
        act(NOW)
    engine.abort(2_000, "", NOW)
    engine.connection_ended(ConnectionEnd(ClosedBy.PEER, 1_000, ""), NOW)
    assert engine.end.code == 1_234
