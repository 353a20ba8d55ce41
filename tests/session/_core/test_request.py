"""Requests: they are decided once, and an application that fails to decide rejects."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from support.plain import Ends, PlainSession, begin

from gns_py import InvalidStateError
from gns_py.session import CloseReason
from gns_py.session._core.request import SessionRequest, decide, reject_failed, take_open


@pytest.fixture
def request_of_client(handshake: Ends) -> SessionRequest[PlainSession]:
    """Return a request that waits for a decision."""
    return handshake.request()


def fail(_: object) -> None:
    raise LookupError("as planned")


def test_it_shows_its_client_and_is_accepted_once(
    handshake: Ends, request_of_client: SessionRequest[PlainSession]
) -> None:
    request = request_of_client
    assert request.is_open
    assert request.data == b"the client's"
    assert request.address is None
    assert "12 bytes of data" in repr(request)
    assert 0.0 <= request.waited < 60.0
    with pytest.raises(TypeError):
        request.accept("text")  # type: ignore[arg-type]
    assert request.is_open
    assert request.accept(b"the server's") is handshake.server
    assert not request.is_open
    with pytest.raises(InvalidStateError, match="accepted before"):
        request.accept()
    with pytest.raises(InvalidStateError, match="accepted before"):
        request.reject()
    handshake.until(lambda: handshake.client.is_established)
    assert handshake.client.peer_data == b"the server's"


def test_a_rejected_client_gets_code_text_data_and_reason(
    handshake: Ends, request_of_client: SessionRequest[PlainSession]
) -> None:
    request_of_client.reject(2007, "no", b"data", reason=CloseReason.AUTHENTICATION_FAILED)
    request_of_client.reject()  # nothing is left to reject
    handshake.until(lambda: handshake.client.end)
    end = handshake.client.end
    assert end is not None
    assert (end.reason, end.code, end.text, end.data) == (CloseReason.AUTHENTICATION_FAILED, 2007, "no", b"data")


def test_decide_accepts_without_a_callback_and_asks_one(
    handshake: Ends, request_of_client: SessionRequest[PlainSession]
) -> None:
    assert decide(request_of_client, lambda request: ("asked", request)) == ("asked", request_of_client)
    assert request_of_client.is_open
    assert decide(request_of_client, None) is handshake.server
    assert decide(request_of_client, fail) is None  # it is decided, so it is not asked


def test_a_callback_that_fails_rejects(
    handshake: Ends, request_of_client: SessionRequest[PlainSession], caplog: pytest.LogCaptureFixture
) -> None:
    assert decide(request_of_client, fail) is None
    handshake.until(lambda: handshake.client.end)
    assert handshake.client.end is not None
    assert handshake.client.end.reason is CloseReason.INTERNAL_ERROR
    assert [record.getMessage()[:17] for record in caplog.records] == ["on_request failed"]
    assert "as planned" in caplog.text


def test_a_callback_that_fails_after_its_decision_changes_nothing(
    handshake: Ends, request_of_client: SessionRequest[PlainSession], caplog: pytest.LogCaptureFixture
) -> None:
    request_of_client.accept()
    reject_failed(request_of_client, LookupError("as planned"))
    handshake.until(lambda: handshake.client.is_established)
    assert len(caplog.records) == 1


def test_only_open_requests_are_taken() -> None:
    crowd = [begin() for _ in range(4)]
    requests: deque[SessionRequest[Any]] = deque(ends.request() for ends in crowd)
    expected = requests[2]
    requests[0].reject()
    crowd[1].server.abort()
    assert take_open(requests) is expected
    assert len(requests) == 1
    crowd[3].client.abort()
    crowd[3].until(lambda: crowd[3].engine.end)
    assert take_open(requests) is None
    assert not requests
    for ends in crowd:
        ends.abort()
