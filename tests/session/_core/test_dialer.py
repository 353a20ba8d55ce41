"""When a client tries to get another connection, and what becomes of its attempts."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator

import pytest
from support.plain import PlainDialer

import gns_py.sync as gns
from gns_py import ClosedBy, EndReason
from gns_py._core.sending import SendingConnection
from gns_py.session import CloseReason, SessionEnd
from gns_py.session._core.dialer import Caller

LOST = SessionEnd(ClosedBy.PROBLEM, CloseReason.CONNECTION_LOST, 5003, "no answer", is_confirmed=False)


class Recorder:
    """A caller that records what it hears of."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def welcome(self, connection: SendingConnection) -> None:
        """See Caller."""
        self.heard.append(connection)

    def attempt_failed(self, end: SessionEnd) -> None:
        """See Caller."""
        self.heard.append(end)

    def on_change(self) -> None:
        """See Caller."""
        self.heard.append("change")

    def on_stopped(self) -> None:
        """See Caller."""
        self.heard.append("stopped")


def refer_to(caller: Caller) -> weakref.ref[Caller]:
    return weakref.ref(caller)


@pytest.fixture
def pair() -> Iterator[tuple[gns.Connection, gns.Connection]]:
    """Yield a pair of connections in memory."""
    ends = gns.socket_pair()
    yield ends
    for end in ends:
        end.close()


def test_one_attempt_at_a_time() -> None:
    dialer, caller = PlainDialer(), Recorder()
    for _ in range(3):
        dialer.dial(caller)
    assert dialer.is_dialing
    assert dialer.pauses == [0.0]
    dialer.finish(refer_to(caller), None, LOST)
    assert not dialer.is_dialing
    dialer.dial(caller)
    assert len(dialer.pauses) == 2


def test_pauses_are_random_and_their_bound_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high / 2

    monkeypatch.setattr("random.uniform", uniform)
    dialer, caller = PlainDialer(), Recorder()
    for _ in range(40):
        dialer.dial(caller)
        dialer.finish(refer_to(caller), None, LOST)
    assert bounds[:8] == [(0.0, high) for high in (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0)]
    assert set(bounds[8:]) == {(0.0, 5.0)}
    assert dialer.pauses == [high / 2 for _, high in bounds]


@pytest.mark.parametrize("lasts", [True, False])
def test_only_a_connection_that_lasts_ends_the_pauses(monkeypatch: pytest.MonkeyPatch, lasts: bool) -> None:
    monkeypatch.setattr("random.uniform", lambda _, high: high)
    monkeypatch.setattr("gns_py.session._core.dialer._LASTING", 0.0 if lasts else 1e9)
    dialer, caller = PlainDialer(), Recorder()
    for _ in range(3):
        dialer.dial(caller)
        dialer.finish(refer_to(caller), None, LOST)
        dialer.rest()
    assert dialer.pauses == ([0.0] * 3 if lasts else [0.0, 0.1, 0.2])


def test_an_attempt_that_cannot_begin_is_none() -> None:
    class Broken(PlainDialer):
        def begin(self, caller: Caller, pause: float) -> None:
            super().begin(caller, pause)
            raise LookupError("as planned")

    dialer = Broken()
    for _ in range(2):
        with pytest.raises(LookupError):
            dialer.dial(Recorder())
        assert not dialer.is_dialing
    assert len(dialer.pauses) == 2


def test_the_caller_hears_what_became_of_an_attempt(pair: tuple[gns.Connection, gns.Connection]) -> None:
    dialer, caller = PlainDialer(), Recorder()
    reference = refer_to(caller)
    dialer.finish(reference, pair[0], None)
    dialer.finish(reference, None, LOST)
    dialer.finish(reference, None, None)
    assert caller.heard == [pair[0], "change", LOST, "change"]


def test_a_connection_is_closed_if_its_caller_is_gone(pair: tuple[gns.Connection, gns.Connection]) -> None:
    dialer, caller = PlainDialer(), Recorder()
    reference = refer_to(caller)
    del caller
    if reference() is not None:  # pragma: no cover - a Python that does not count references
        pytest.skip("the object is collected later")
    dialer.finish(reference, pair[0], None)
    end = pair[1].wait_closed(timeout=5.0)
    assert (end.code, end.text) == (EndReason.APP_GENERIC, "not needed")
    dialer.finish(reference, None, LOST)
    dialer.finish(reference, None, None)


def test_an_error_of_the_program_is_logged_and_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "gns_py"):
        end = PlainDialer().give_up(LookupError("as planned"))
    assert "as planned" in caplog.text
    assert (end.closed_by, end.reason, end.code) == (ClosedBy.LOCAL, CloseReason.ABORTED, EndReason.INTERNAL_ERROR)
    assert not end.can_retry
    assert not end.recoverable


def test_attempts_may_take_longer_in_each_round() -> None:
    dialer, caller = PlainDialer(("127.0.0.1", 2)), Recorder()
    times = []
    for _ in range(10):
        dialer.dial(caller)
        times.append(dialer.next_address()[1])
        dialer.finish(refer_to(caller), None, LOST)
    assert times == [1.0, 5.0, 2.0, 5.0, 4.0, 5.0, 5.0, 5.0, 5.0, 5.0]
