"""The announcements of a server that goes away, and their times."""

from __future__ import annotations

from math import inf

import pytest
from session.protocol.test_resuming import lose, network, resume
from session.protocol.test_server import HELLO, RESUME, receive, server

from gns_py.session import CloseReason
from gns_py.session.protocol.departure import NO_DEADLINE, Departure
from gns_py.session.protocol.frames import Confirm, Frame, GoAway, Ready, Reject, ResumeFailed, Welcome
from gns_py.session.protocol.server import ServerStep
from gns_py.session.protocol.state import Phase

PLAN = Departure(11.0, "update", ("game2.example:27015",))
SHUTTING_DOWN = CloseReason.SERVER_SHUTTING_DOWN


@pytest.mark.parametrize(
    ("at", "now", "left"), [(11.0, 1.0, 10_000), (11.0, 11.0, 0), (11.0, 99.0, 0), (inf, 1.0, NO_DEADLINE)]
)
def test_the_time_that_remains(at: float, now: float, left: int) -> None:
    assert Departure(at).announce(now) == GoAway(SHUTTING_DOWN, left, "", ())


def test_a_client_that_has_said_hello_is_told_before_it_is_rejected() -> None:
    engine, line = server(HELLO)
    engine.turn_away(PLAN, 1.0)
    assert line.frames == [
        GoAway(SHUTTING_DOWN, 10_000, "update", PLAN.addresses),
        Reject(SHUTTING_DOWN, 1_000, "update", b""),
    ]
    assert line.closed == (1_000, "update", True)
    assert engine.step is ServerStep.REFUSED
    engine.turn_away(PLAN, 2.0)
    assert len(line.frames) == 2


def test_one_that_has_not_is_only_closed() -> None:
    engine, line = server()
    engine.turn_away(Departure(inf), 1.0)
    assert line.frames == []
    assert line.closed == (SHUTTING_DOWN.native_code, "0000 the server is closing", True)


def test_one_that_could_not_resume_is_told_when_it_says_hello() -> None:
    engine, line = server(RESUME)
    engine.refuse_resume(CloseReason.SESSION_EXPIRED, "gone", 1.0)
    receive(engine, HELLO)
    engine.turn_away(PLAN, 1.0)
    assert [type(frame) for frame in line.frames] == [ResumeFailed, GoAway, Reject]


def test_an_established_client_is_told_once() -> None:
    engine, line = server(HELLO)
    engine.accept(b"", 1.0)
    receive(engine, Confirm(1))
    assert not engine.is_going_away
    engine.go_away(PLAN, 1.0)
    engine.go_away(Departure(2.0, "sooner"), 1.5)
    assert [type(frame) for frame in line.frames] == [Welcome, Ready, GoAway]
    assert engine.is_going_away
    assert engine.phase is Phase.ESTABLISHED


@pytest.mark.parametrize("how", ["closing", "ended"])
def test_one_that_leaves_is_not_told(how: str) -> None:
    engine, line = server(HELLO)
    engine.accept(b"", 1.0)
    receive(engine, Confirm(1))
    if how == "closing":
        engine.close(CloseReason.CLOSED_BY_SERVER, 1_000, "", b"", 1.0)
    else:
        engine.abort(1_000, "", 1.0)
    before = len(line.frames)
    engine.go_away(PLAN, 1.0)
    assert len(line.frames) == before


def test_a_resumed_one_is_told_again_with_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    monkeypatch.setattr(net.client, "moves_at_once", False, raising=False)  # the client stays
    frames: list[Frame] = []
    queue_frame = net.server.queue_frame

    def spy(frame: Frame) -> None:
        frames.append(frame)
        queue_frame(frame)

    monkeypatch.setattr(net.server, "queue_frame", spy)
    net.server.go_away(Departure(net.now + 10.0), net.now)
    net.settle()
    assert net.client.is_going_away
    lose(net)
    net.client.going_away = None
    net.now += 4.0
    resume(net)
    assert [frame.deadline_ms for frame in frames if isinstance(frame, GoAway)] == [10_000, 6_000]
    assert net.client.is_going_away
