"""ConnectionEnd, and how it follows from the properties of an ended connection."""

from __future__ import annotations

import copy
import pickle

import pytest

from gns_py import ClosedBy, ConnectionEnd, ConnectionInfo, ConnectionState, EndReason, EndReasonRange, InfoFlags
from gns_py.end import end_of


def info(state: ConnectionState, code: int) -> ConnectionInfo:
    return ConnectionInfo(state, None, "invalid", "", code, "", InfoFlags(0), -1)


@pytest.mark.parametrize(
    ("state", "closed_by"),
    [
        (ConnectionState.NONE, ClosedBy.LOCAL),
        (ConnectionState.CLOSED_BY_PEER, ClosedBy.PEER),
        (ConnectionState.PROBLEM_DETECTED_LOCALLY, ClosedBy.PROBLEM),
        (ConnectionState(77), ClosedBy.PROBLEM),
    ],
)
def test_who_ended_it_follows_from_the_state(state: ConnectionState, closed_by: ClosedBy) -> None:
    assert end_of(info(state, 1000)).closed_by is closed_by


@pytest.mark.parametrize(
    ("code", "range_", "ok", "can_retry"),
    [
        (1000, EndReasonRange.APP, True, False),
        (1001, EndReasonRange.APP, True, True),
        (1999, EndReasonRange.APP, True, False),
        (2000, EndReasonRange.APP_EXCEPTION, False, False),
        (2003, EndReasonRange.APP_EXCEPTION, False, True),
        (3001, EndReasonRange.LOCAL, False, False),
        (4001, EndReasonRange.REMOTE, False, True),
        (5003, EndReasonRange.MISC, False, True),
        (9999, EndReasonRange.INTERNAL, False, True),
        (77, EndReasonRange.UNKNOWN, False, False),
    ],
)
def test_what_the_code_of_an_end_says(code: int, range_: EndReasonRange, ok: bool, can_retry: bool) -> None:
    end = ConnectionEnd(ClosedBy.PEER, code, "")
    assert end.reason is EndReason(code) or end.reason == EndReason(code)
    assert (end.range, end.ok, end.can_retry) == (range_, ok, can_retry)
    assert str(end).startswith(f"closed by the peer, {code} {end.reason.name}")


def test_an_end_is_a_value() -> None:
    end = ConnectionEnd(ClosedBy.LOCAL, 1000, "bye")
    assert end == ConnectionEnd(ClosedBy.LOCAL, 1000, "bye") != ConnectionEnd(ClosedBy.PEER, 1000, "bye")
    assert hash(end) == hash(copy.copy(end))
    assert pickle.loads(pickle.dumps(end)) == end


def test_its_text_cannot_forge_a_line() -> None:
    assert str(ConnectionEnd(ClosedBy.PEER, 1000, "a\nb")) == r"closed by the peer, 1000 APP_GENERIC: a\nb"
