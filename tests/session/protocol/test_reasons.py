"""Why sessions end: every reason, and what the end of a connection means."""

from __future__ import annotations

import pytest

from gns_py import ClosedBy, ConnectionEnd, EndReason
from gns_py.session import CloseReason
from gns_py.session.protocol.reasons import SessionEnd, connection_end_text, end_of_connection, reason_of, truncate_text

# Diffusion's, with its numbers; seeds/002.
DIFFUSION = [
    "CONNECTION_LOST",
    "IO_EXCEPTION",
    "CLIENT_UNRESPONSIVE",
    "MESSAGE_QUEUE_LIMIT_REACHED",
    "CLOSED_BY_CLIENT",
    "MESSAGE_TOO_LARGE",
    "INTERNAL_ERROR",
    "INVALID_INBOUND_MESSAGE",
    "ABORTED",
    "LOST_MESSAGES",
    "CLOSED_BY_CONTROLLER",
    "FAILED_OVER",
    "SESSION_TAKEN_OVER",
]


def test_the_first_thirteen_are_diffusions() -> None:
    assert [reason.name for reason in CloseReason][:13] == DIFFUSION
    assert list(CloseReason) == list(range(21))


def test_three_are_recoverable() -> None:
    assert [reason for reason in CloseReason if reason.recoverable] == [0, 1, 2]
    assert all(reason.can_retry for reason in CloseReason if reason.recoverable)


@pytest.mark.parametrize("reason", CloseReason)
def test_every_reason_says_what_it_means(reason: CloseReason) -> None:
    assert reason.explanation.endswith(".")
    assert str(reason) == reason.name


@pytest.mark.parametrize("reason", CloseReason)
@pytest.mark.parametrize("is_client", [True, False])
def test_the_connection_code_of_a_reason_is_that_reason_at_the_other_end(reason: CloseReason, is_client: bool) -> None:
    told = ConnectionEnd(ClosedBy.PEER, reason.native_code, connection_end_text(1234, "told"))
    assert end_of_connection(told, is_client=is_client) == SessionEnd(ClosedBy.PEER, reason, 1234, "told")
    untold = ConnectionEnd(ClosedBy.PEER, reason.native_code, connection_end_text(0, "told"))
    assert end_of_connection(untold, is_client=is_client).code == reason.native_code


def test_every_number_means_something() -> None:
    for code in range(10_001):
        for closed_by in ClosedBy:
            for is_client in (True, False):
                end = end_of_connection(ConnectionEnd(closed_by, code, "text"), is_client=is_client)
                assert end.reason in CloseReason
                assert end.closed_by is closed_by
                assert end.text == "text"


@pytest.mark.parametrize(
    ("code", "closed_by", "at_client", "at_server"),
    [
        (EndReason.APP_GENERIC, ClosedBy.PEER, CloseReason.CLOSED_BY_SERVER, CloseReason.CLOSED_BY_CLIENT),
        (EndReason.APP_GENERIC, ClosedBy.LOCAL, CloseReason.CLOSED_BY_CLIENT, CloseReason.CLOSED_BY_SERVER),
        (1750, ClosedBy.PEER, CloseReason.CLOSED_BY_SERVER, CloseReason.CLOSED_BY_CLIENT),
        (EndReason.GOING_AWAY, ClosedBy.PEER, CloseReason.SERVER_SHUTTING_DOWN, CloseReason.CLOSED_BY_CLIENT),
        (EndReason.SHUTDOWN, ClosedBy.PEER, CloseReason.SERVER_SHUTTING_DOWN, CloseReason.ABORTED),
        (EndReason.INTERNAL_ERROR, ClosedBy.PEER, CloseReason.INTERNAL_ERROR, CloseReason.INTERNAL_ERROR),
        (2100, ClosedBy.PEER, CloseReason.ABORTED, CloseReason.ABORTED),
        (EndReason.MISC_TIMEOUT, ClosedBy.PROBLEM, CloseReason.CONNECTION_LOST, CloseReason.CONNECTION_LOST),
        (EndReason.REMOTE_TIMEOUT, ClosedBy.PROBLEM, CloseReason.CONNECTION_LOST, CloseReason.CONNECTION_LOST),
        (EndReason.REMOTE_BAD_CERT, ClosedBy.PROBLEM, *(CloseReason.AUTHENTICATION_FAILED,) * 2),
        (EndReason.REMOTE_BAD_CRYPT, ClosedBy.PROBLEM, *(CloseReason.AUTHENTICATION_FAILED,) * 2),
        (EndReason.REMOTE_BAD_PROTOCOL_VERSION, ClosedBy.PROBLEM, *(CloseReason.VERSION_MISMATCH,) * 2),
        (EndReason.MISC_P2P_NAT_FIREWALL, ClosedBy.PROBLEM, CloseReason.IO_EXCEPTION, CloseReason.IO_EXCEPTION),
        (EndReason.LOCAL_NETWORK_CONFIG, ClosedBy.PROBLEM, CloseReason.IO_EXCEPTION, CloseReason.IO_EXCEPTION),
    ],
)
def test_the_meaning_of_connection_ends(
    code: int, closed_by: ClosedBy, at_client: CloseReason, at_server: CloseReason
) -> None:
    end = ConnectionEnd(closed_by, code, "")
    assert end_of_connection(end, is_client=True).reason is at_client
    assert end_of_connection(end, is_client=False).reason is at_server


def test_an_unknown_reason_is_not_recoverable() -> None:
    assert reason_of(77) is CloseReason.ABORTED
    assert reason_of(4) is CloseReason.CLOSED_BY_CLIENT


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        (1000, "", "1000"),
        (0, "why", "0000 why"),
        (2345, "ä" * 100, "2345 " + "ä" * 61),
        (1000, "🙂" * 40, "1000 " + "🙂" * 30),
    ],
)
def test_the_text_of_a_connection_end_is_cut_between_characters(code: int, text: str, said: str) -> None:
    assert connection_end_text(code, text) == said
    assert len(said.encode()) <= 127


def test_a_text_that_fits_is_left_alone() -> None:
    assert truncate_text("a" * 127) == "a" * 127


def test_an_end_is_a_sentence() -> None:
    end = SessionEnd(ClosedBy.PEER, CloseReason.REJECTED, 1234, "full", b"")
    assert str(end) == "closed by the peer, REJECTED, 1234: full"
    assert not end.ok
    assert SessionEnd(ClosedBy.LOCAL, CloseReason.CLOSED_BY_CLIENT, 1000, "").ok
    assert not SessionEnd(ClosedBy.LOCAL, CloseReason.CLOSED_BY_CLIENT, 2000, "").ok
