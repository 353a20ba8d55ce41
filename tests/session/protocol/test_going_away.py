"""A client that is told that its server goes away, and when it leaves."""

from __future__ import annotations

from math import inf

import pytest
from support.framing import Line

from gns_py.message import Message
from gns_py.session import CloseReason, GoingAway
from gns_py.session.protocol.client import ClientEngine
from gns_py.session.protocol.config import SessionConfig
from gns_py.session.protocol.frames import (
    Ack,
    Bye,
    ByeAck,
    Capabilities,
    Confirm,
    Frame,
    GoAway,
    Ready,
    Resume,
    Resumed,
    ResumeFailed,
    Welcome,
)
from gns_py.session.protocol.going_away import going_away
from gns_py.session.protocol.resuming import Dropped
from gns_py.session.protocol.state import Phase

DOWN = CloseReason.SERVER_SHUTTING_DOWN
WELCOME = Welcome(1, 0, b"sixteen bytes id", 1, b"", 1_000, 2_000, 8, 0, 0, b"")
RESUMABLE = Welcome(1, Capabilities.RESUME, b"sixteen bytes id", 1, b"token", 1_000, 2_000, 8, 30_000, 0, b"")
DURABLE = Welcome(1, 3, b"sixteen bytes id", 1, b"token", 1_000, 2_000, 8, 30_000, 0, b"")


def receive(engine: ClientEngine, frame: Frame, now: float = 1.0) -> None:
    engine.receive(Message(frame.encode(), 1, 0, True, 0), now)


def client(welcome: Welcome, *, moves_at_once: bool = True) -> tuple[ClientEngine, Line]:
    line = Line()
    engine = ClientEngine(line, SessionConfig(ping_timeout=None), b"", None, 0.0)
    engine.moves_at_once = moves_at_once
    receive(engine, welcome)
    receive(engine, Ready(1))
    line.frames.clear()
    return engine, line


def announce(milliseconds: int = 5_000, *addresses: str) -> GoAway:
    return GoAway(DOWN, milliseconds, "update", addresses)


@pytest.mark.parametrize(
    ("given", "usable"),
    [
        (("10.0.0.1:1", "[::1]:2", "name.example:3"), (("10.0.0.1", 1), ("::1", 2), ("name.example", 3))),
        (("a:1", "a:1", "[::0001]:2", "[::1]:2"), (("a", 1), ("::1", 2))),
        (
            ("", "x", ":", ":1", "a:", "a:0", "a:65536", "a:-1", "1.2.3:4", "::1", "[::1]", "a b:1", "[a]:1", "a:1:2"),
            (),
        ),
        (("[fe80::1%eth0]:1", "999.1.1.1:1", "\U0001f40d:٣", "ok:1", "a:99999999999999999999"), (("ok", 1),)),
        (("garbage",) * 16, ()),
    ],
)
def test_only_usable_addresses_are_left(given: tuple[str, ...], usable: tuple[tuple[str, int], ...]) -> None:
    assert going_away(GoAway(DOWN, 0, "", given), 0.0).addresses == usable


@pytest.mark.parametrize(
    ("milliseconds", "deadline"), [(0, 7.0), (1_500, 8.5), (2**64 - 2, 1e9 + 7.0), (2**64 - 1, inf)]
)
def test_the_deadline_counts_from_the_arrival(milliseconds: int, deadline: float) -> None:
    assert going_away(GoAway(DOWN, milliseconds, "", ()), 7.0).deadline == deadline


def test_an_unknown_reason_is_an_abort() -> None:
    assert going_away(GoAway(12_345, 0, "", ()), 0.0).reason is CloseReason.ABORTED


def test_without_a_callback_the_session_leaves_at_once_and_reads_on() -> None:
    engine, line = client(WELCOME)
    receive(engine, announce())
    assert line.frames == [Bye(DOWN, 1_000, "update", {}, b"")]
    assert (engine.phase, engine.may_send) == (Phase.CLOSING, False)
    engine.receive_data(Message(b"still sent", 1, 0, True, 0), 1.1)
    receive(engine, ByeAck({0: 1}, b"bye"), 1.2)
    assert engine.delivered_end is None
    taken = engine.inbox.take()
    assert taken is not None
    assert taken.data == b"still sent"
    receive(engine, Ack({}, 2**64 - 1, 2**64 - 1), 1.3)
    assert engine.end is not None
    assert (engine.end.reason, engine.end.text, engine.end.data, engine.end.ok) == (DOWN, "update", b"bye", True)


def test_the_application_chooses_the_moment() -> None:
    engine, line = client(WELCOME, moves_at_once=False)
    receive(engine, announce(5_000, "a:1"))
    assert list(engine.notices) == [GoingAway(DOWN, "update", 6.0, (("a", 1),))]
    assert engine.next_tick == 5.5
    engine.tick(5.4)
    assert not line.frames
    engine.move(5.4)
    assert isinstance(line.frames[-1], Bye)
    assert engine.next_tick < inf  # that of the goodbye


@pytest.mark.parametrize(("seconds", "leaves_at"), [(5, 5.5), (60, 60.0)])
def test_it_leaves_shortly_before_the_deadline_at_the_latest(seconds: int, leaves_at: float) -> None:
    engine, line = client(WELCOME, moves_at_once=False)
    receive(engine, announce(seconds * 1_000))
    assert engine.next_tick == leaves_at
    engine.tick(leaves_at)
    assert isinstance(line.frames[-1], Bye)


@pytest.mark.parametrize("milliseconds", [0, 2**64 - 2, 2**64 - 1])
def test_extreme_deadlines(milliseconds: int) -> None:
    engine, line = client(WELCOME, moves_at_once=False)
    receive(engine, announce(milliseconds))
    engine.tick(1.0)
    assert bool(line.frames) == (milliseconds == 0)


def test_what_is_said_again_is_no_news_but_moves_the_deadline() -> None:
    engine, _ = client(WELCOME, moves_at_once=False)
    for now in (1.0, 2.0):
        receive(engine, announce(5_000, "a:1"), now)
    assert len(engine.notices) == 1
    assert engine.next_tick == 6.5
    receive(engine, announce(1_000, "b:1"), 2.0)
    assert len(engine.notices) == 2
    assert engine.next_tick == 2.9


def test_there_is_nothing_to_leave() -> None:
    engine, line = client(WELCOME)
    engine.move(1.0)
    assert not line.frames
    engine.close(CloseReason.CLOSED_BY_CLIENT, 1_000, "", b"", 1.0)
    line.frames.clear()
    receive(engine, announce())
    engine.move(1.0)
    assert not line.frames  # it is on its way to its end


def test_a_session_that_is_being_closed_by_its_peer_has_one_end() -> None:
    engine, _ = client(WELCOME, moves_at_once=False)
    receive(engine, announce(0))
    receive(engine, Bye(CloseReason.CLOSED_BY_SERVER, 1_000, "", {}, b""), 1.0)
    engine.tick(1.0)
    engine.move(1.0)
    expected = engine.expected_end
    assert expected is not None
    assert expected.reason is CloseReason.CLOSED_BY_SERVER


@pytest.mark.parametrize("by", ["at once", "move", "deadline"])
def test_a_durable_session_leaves_for_another_connection(by: str) -> None:
    engine, line = client(DURABLE, moves_at_once=by == "at once")
    receive(engine, announce(5_000, "a:1"))
    if by == "move":
        engine.move(2.0)
    elif by == "deadline":
        engine.tick(6.0)
    assert engine.phase is Phase.DROPPED
    assert engine.is_established  # the application notices nothing but the callbacks
    assert line.closed is not None
    assert line.closed[0] == CloseReason.CONNECTION_LOST.native_code
    assert isinstance(engine.notices[-1], Dropped)
    assert engine.going_away is not None  # the addresses
    engine.connected(7.0)
    receive(engine, Resumed(2, b"next", {}, 2_000, 8), 7.0)
    assert [type(each) for each in line.frames] == [Resume, Confirm]
    assert engine.going_away is None


def test_the_announcement_of_a_lost_connection_is_void() -> None:
    engine, line = client(RESUMABLE, moves_at_once=False)
    receive(engine, announce(5_000))
    assert engine.reconnect(2.0)
    engine.tick(6.0)
    assert not engine.is_connected
    engine.connected(7.0)
    receive(engine, Resumed(2, b"next", {}, 2_000, 8), 7.0)
    assert engine.going_away is None
    engine.move(8.0)
    assert engine.phase is Phase.ESTABLISHED
    assert not any(isinstance(each, Bye) for each in line.frames)


@pytest.mark.parametrize(
    ("welcome", "reason", "is_last_word", "goes_on"),
    [
        (RESUMABLE, CloseReason.SESSION_EXPIRED, False, True),
        (RESUMABLE, CloseReason.SESSION_EXPIRED, True, False),
        (RESUMABLE, CloseReason.LOST_MESSAGES, False, False),
        (RESUMABLE, CloseReason.AUTHENTICATION_FAILED, False, False),
        (DURABLE, CloseReason.SESSION_EXPIRED, False, False),
    ],
)
def test_who_may_say_that_a_session_has_expired(
    welcome: Welcome, reason: CloseReason, is_last_word: bool, goes_on: bool
) -> None:
    engine, line = client(welcome)
    engine.is_last_word = lambda: is_last_word
    assert engine.reconnect(2.0)
    engine.connected(3.0)
    receive(engine, ResumeFailed(reason, "no"), 3.0)
    if goes_on:
        assert engine.phase is Phase.DROPPED
        assert line.closed is not None
        assert line.closed[0] == CloseReason.CONNECTION_LOST.native_code
    else:
        assert engine.end is not None
        assert engine.end.reason is reason
