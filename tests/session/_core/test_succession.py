"""When the next session begins, and where."""

from __future__ import annotations

import pytest

from gns_py import ClosedBy
from gns_py.errors import InitializationError
from gns_py.session import CloseReason, GoingAway, SessionEnd, SessionFailed, SessionRejected, SessionTimeout
from gns_py.session._core.succession import Succession

AWAY = GoingAway(CloseReason.SERVER_SHUTTING_DOWN, "", 0.0, (("b", 2),))


def end(reason: CloseReason, by: ClosedBy = ClosedBy.PEER) -> SessionEnd:
    return SessionEnd(by, reason, reason.native_code, "", is_confirmed=False)


LOST = end(CloseReason.SESSION_EXPIRED, ClosedBy.PROBLEM)
NO_ANSWER = SessionTimeout(end(CloseReason.CONNECTION_LOST, ClosedBy.PROBLEM))


def test_after_a_move_the_next_session_begins_at_once_and_elsewhere() -> None:
    succession = Succession()
    moved = end(CloseReason.SERVER_SHUTTING_DOWN, ClosedBy.LOCAL)
    assert succession.ended(moved, AWAY, 60.0) == 0.0
    assert (succession.previous, succession.redirect) == (moved, (("b", 2),))
    assert succession.ended(LOST, None, 60.0) > 0.0
    assert succession.redirect == ()


def test_servers_that_send_a_client_back_and_forth_do_not_hurry_it() -> None:
    succession = Succession()
    pauses = [succession.ended(LOST, AWAY, 0.1) for _ in range(12)]
    assert pauses[0] == 0.0
    assert pauses[1:] == sorted(pauses[1:])
    assert pauses[1] > 0.0
    assert pauses[-1] > pauses[1] * 10


def test_pauses_grow_up_to_a_limit_until_a_session_lasts() -> None:
    succession = Succession()
    pauses = [succession.failed(NO_ANSWER, 0.1) for _ in range(40)]
    assert 0.0 < pauses[0] <= 0.501
    assert pauses == sorted(pauses)
    assert pauses[-1] == 30.0
    assert succession.ended(LOST, None, 31.0) <= 0.501


def test_a_newer_session_with_the_key_ends_it() -> None:
    succession = Succession()
    succession.ended(end(CloseReason.SESSION_TAKEN_OVER), None, 60.0)
    assert not succession.goes_on


@pytest.mark.parametrize(
    "error",
    [SessionRejected(end(CloseReason.REJECTED)), SessionFailed(end(CloseReason.PROTOCOL_ERROR)), InitializationError()],
)
def test_what_cannot_get_better_is_raised(error: OSError) -> None:
    with pytest.raises(type(error)):
        Succession().failed(error, 0.0)


@pytest.mark.parametrize("error", [NO_ANSWER, SessionRejected(end(CloseReason.RATE_LIMITED)), OSError("no way")])
def test_what_can_is_tried_again(error: OSError) -> None:
    assert Succession().failed(error, 0.0) > 0.0
