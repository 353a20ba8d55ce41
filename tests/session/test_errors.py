"""Which exception a session's end is."""

from __future__ import annotations

import pickle

import pytest

from gns_py import ClosedBy
from gns_py.session import CloseReason, SessionEnd
from gns_py.session.errors import (
    SessionClosed,
    SessionClosedError,
    SessionClosedOK,
    SessionFailed,
    SessionRejected,
    SessionTimeout,
    session_closed_error,
    session_failed_error,
)


@pytest.mark.parametrize(
    ("closed_by", "reason", "rejected", "kind"),
    [
        (ClosedBy.PEER, CloseReason.REJECTED, False, SessionRejected),
        (ClosedBy.PEER, CloseReason.CLOSED_BY_SERVER, True, SessionRejected),
        (ClosedBy.PEER, CloseReason.CLOSED_BY_SERVER, False, SessionFailed),
        (ClosedBy.LOCAL, CloseReason.REJECTED, False, SessionFailed),
        (ClosedBy.PROBLEM, CloseReason.CONNECTION_LOST, False, SessionTimeout),
        (ClosedBy.PROBLEM, CloseReason.ABORTED, False, SessionTimeout),
        (ClosedBy.PROBLEM, CloseReason.IO_EXCEPTION, False, SessionFailed),
    ],
)
def test_ends_before_a_session_is_established(
    closed_by: ClosedBy, reason: CloseReason, rejected: bool, kind: type[SessionFailed]
) -> None:
    end = SessionEnd(closed_by, reason, 1000, "text", is_confirmed=False)
    error = session_failed_error(end, rejected=rejected)
    assert type(error) is kind
    assert error.end is end


@pytest.mark.parametrize(
    ("code", "is_confirmed", "kind"),
    [(1000, True, SessionClosedOK), (1000, False, SessionClosedError), (2000, True, SessionClosedError)],
)
def test_ends_of_established_sessions(code: int, is_confirmed: bool, kind: type[SessionClosed]) -> None:
    end = SessionEnd(ClosedBy.PEER, CloseReason.CLOSED_BY_SERVER, code, "text", b"data", is_confirmed=is_confirmed)
    error = session_closed_error(end)
    assert type(error) is kind
    assert (error.reason, error.code, error.text, error.data) == (end.reason, code, "text", b"data")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.end, str(copy)) == (kind, end, str(error))
