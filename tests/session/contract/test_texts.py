"""Texts from a peer in a session are data, too."""

from __future__ import annotations

import logging

import pytest
from support import eventually
from support.sessions import SessionApi

from gns_py import ClosedBy
from gns_py.session.sync import (
    CloseReason,
    Session,
    SessionClosedError,
    SessionEnd,
    SessionRejected,
    SessionRequest,
)

EVIL = "a\nERROR all is lost\r\x1b[2J\x9b31m\u202egnp.exe\u2028\ufeff" * 10


def check_shown(*texts: str) -> None:
    for text in texts:
        assert text.isprintable(), ascii(text)
        assert "all is lost" in text


def test_the_text_of_an_end(sessions: SessionApi) -> None:
    def leave(session: Session) -> None:
        session.close(2000, EVIL, EVIL.encode())

    with sessions.serve(leave, "127.0.0.1", 0) as server, sessions.connect(*server.address) as client:
        with pytest.raises(SessionClosedError) as closed:
            client.recv(timeout=5.0)
        error = closed.value
        assert (error.text, error.data) == (EVIL, EVIL.encode())
        check_shown(str(error), repr(error), str(error.end), repr(error.end), repr(client))


def test_the_text_of_a_refusal(sessions: SessionApi) -> None:
    def refuse(request: SessionRequest[Session]) -> None:
        assert repr(request).isprintable()
        request.reject(1003, EVIL, EVIL.encode(), reason=CloseReason.AUTHENTICATION_FAILED)

    with sessions.serve(lambda _: None, "127.0.0.1", 0, on_request=refuse) as server:
        with pytest.raises(SessionRejected) as refused:
            sessions.connect(*server.address, data=EVIL.encode())
        assert refused.value.text == EVIL
        check_shown(str(refused.value), repr(refused.value))


def test_an_abort_in_the_log_of_a_handler(sessions: SessionApi, caplog: pytest.LogCaptureFixture) -> None:
    def fail(session: Session) -> None:
        end = session.wait_closed()
        raise RuntimeError(f"no more: {end}")

    with sessions.serve(fail, "127.0.0.1", 0) as server:
        sessions.connect(*server.address).abort(2000, EVIL)
        eventually(lambda: [record for record in caplog.records if record.levelno == logging.ERROR])
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.exc_info is not None
    check_shown(record.getMessage(), str(record.exc_info[1]))


def test_an_end_made_by_hand() -> None:
    check_shown(str(SessionEnd(ClosedBy.PEER, CloseReason.ABORTED, 1000, EVIL)))
