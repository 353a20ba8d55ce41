"""Which of the sessions that wait for another connection have to give way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.plain import Ends, PlainDialer, begin, endpoint_of, establish

from gns_py.session import SessionConfig
from gns_py.session._core.admission import AdmissionRules
from gns_py.session._core.dropped import DroppedSessions
from gns_py.session._core.resumable import ResumableEndpoint


@pytest.fixture
def some() -> Iterator[list[ResumableEndpoint]]:
    """Yield four sessions without connections."""
    all_ends: list[Ends] = [establish(begin(config=SessionConfig(resume_window=30.0))) for _ in range(4)]
    for ends in all_ends:
        endpoint_of(ends.client).dialer = PlainDialer()
        ends.client.reconnect()
    yield [endpoint_of(ends.client) for ends in all_ends]
    for ends in all_ends:
        ends.abort()


def test_the_one_that_has_waited_longest_gives_way(some: list[ResumableEndpoint]) -> None:
    first, second, third, fourth = some
    dropped = DroppedSessions(AdmissionRules(max_dropped=2, max_dropped_per_address=None))
    assert [dropped.note(each, "a") for each in (first, second)] == [None, None]
    assert dropped.note(first, "a") is None  # it does not count twice, nor move
    assert dropped.note(third, "b") is first
    assert dropped.note(fourth, "a") is second


def test_an_address_takes_no_place_of_another(some: list[ResumableEndpoint]) -> None:
    first, second, third, fourth = some
    dropped = DroppedSessions(AdmissionRules(max_dropped=3, max_dropped_per_address=2))
    assert [dropped.note(each, host) for each, host in ((first, "a"), (second, "b"), (third, "b"))] == [None] * 3
    assert dropped.note(fourth, "b") is second


def test_one_that_goes_on_or_ends_does_not_count(some: list[ResumableEndpoint]) -> None:
    first, second, third, fourth = some
    dropped = DroppedSessions(AdmissionRules(max_dropped=1))
    assert dropped.note(first, "a") is None
    dropped.forget(first)
    assert dropped.note(second, "a") is None
    second.act(second.engine.abort, 1000, "")
    assert dropped.note(second, "a") is None
    assert dropped.note(third, "a") is None
    assert dropped.note(fourth, "a") is third


def test_without_limits_none_gives_way(some: list[ResumableEndpoint]) -> None:
    dropped = DroppedSessions(AdmissionRules(max_dropped=None, max_dropped_per_address=None))
    assert [dropped.note(each, "a") for each in some] == [None] * 4
