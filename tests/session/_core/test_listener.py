"""An open port for sessions, without an API: letting clients in, and handing out their sessions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from support import PATIENCE, eventually
from support.plain import PlainListener, PlainSession, endpoint_of

import gns_py.sync as gns
from gns_py import EndReason
from gns_py.session import CloseReason
from gns_py.session._core.admission import AdmissionRules
from gns_py.session.protocol.frames import Confirm, Hello, Welcome, decode

HELLO = Hello(1, 1, 0, 1000, 1000, 1000, 0, 0, b"hello")


@pytest.fixture
def listener() -> Iterator[PlainListener]:
    """Yield an open port that lets in one handshake and two sessions at a time."""
    with PlainListener(AdmissionRules(max_pending=1, max_sessions=2)) as listener:
        yield listener


def connect(listener: PlainListener) -> gns.Connection:
    """Return a client that has said hello."""
    client = gns.connect(*listener.listener.address, wait=False)
    client.send(HELLO.encode(), nagle=False)
    return client


def confirm(listener: PlainListener, client: gns.Connection) -> None:
    """Complete a client's handshake, as far as it depends on the client."""
    until(listener, lambda: has_welcome(client))
    client.send(Confirm(1).encode(), nagle=False)


def has_welcome(client: gns.Connection) -> bool:
    """Return whether a client's WELCOME has arrived now."""
    messages = [event.message for event in client.poll() if isinstance(event, gns.MessageReceived)]
    return any(isinstance(decode(message.data), Welcome) for message in messages)


def until(listener: PlainListener, condition: Callable[[], object]) -> None:
    """Handle what arrives until the condition is true."""

    def is_true() -> object:
        listener.pump()
        return condition()

    eventually(is_true)


def test_accepted_sessions_are_taken_once_established(listener: PlainListener) -> None:
    with connect(listener) as client:
        until(listener, lambda: listener.wakes)
        listener.accept_all(b"welcome")
        assert listener.take_request() is None
        assert listener.take_ready() is None
        confirm(listener, client)
        until(listener, lambda: listener.registry.sessions)
        session = listener.take_ready()
        assert session is not None
        assert (session.is_established, session.peer_data) == (True, b"hello")
        assert listener.take_ready() is None
        session.abort()


def test_other_sessions_go_to_the_callback_and_end_if_it_fails(
    listener: PlainListener, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(session: PlainSession) -> None:
        seen.append(session)
        raise LookupError("as planned")

    seen: list[PlainSession] = []
    listener.on_established = fail
    with connect(listener) as client:
        until(listener, lambda: listener.wakes)
        request = listener.take_request()
        assert request is not None
        session = request.accept()
        confirm(listener, client)
        until(listener, lambda: seen)
        assert seen == [session]
        assert listener.take_ready() is None
        assert client.wait_closed(timeout=5.0 * PATIENCE).code == CloseReason.INTERNAL_ERROR.native_code
    assert [record.levelname for record in caplog.records if record.name == "gns_py"] == ["ERROR"]


def test_accept_all_passes_over_clients_that_have_given_up(listener: PlainListener) -> None:
    with connect(listener):
        until(listener, lambda: listener.wakes)
        (endpoint,) = listener.registry.handshakes
        endpoint.abort(EndReason.APP_GENERIC, "")
        listener.accept_all(b"")
        assert listener.take_ready() is None
        assert listener.registry.counters.failed == 1


def test_a_session_that_cannot_be_made_gives_its_place_back(
    listener: PlainListener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("as planned")

    with monkeypatch.context() as patched, caplog.at_level(logging.ERROR, "gns_py"), connect(listener) as client:
        patched.setattr(listener, "make_session", fail)
        until(listener, lambda: [*client.poll()] and client.end)
        end = client.end
        assert end is not None
        assert (end.code, end.text) == (EndReason.INTERNAL_ERROR, "the server failed")
        (record,) = caplog.records
        assert "the handshake with" in record.getMessage()
    with connect(listener):
        until(listener, lambda: listener.wakes)
        assert listener.registry.counters.too_many_pending == 0
        assert len(listener.registry.handshakes) == 1


def test_closing_ends_handshakes_and_sessions(listener: PlainListener) -> None:
    sessions: list[PlainSession] = []
    listener.on_established = sessions.append
    with connect(listener) as first:
        until(listener, lambda: listener.wakes)
        request = listener.take_request()
        assert request is not None
        request.accept()
        confirm(listener, first)
        until(listener, lambda: sessions)
        with connect(listener) as second:
            until(listener, lambda: listener.wakes == 2)
            listener.close(text="closed for today")
            assert endpoint_of(sessions[0]).endpoint.is_closed_here
            assert first.wait_closed(timeout=5.0 * PATIENCE).text == "closed for today"
            assert "the server is closing" in second.wait_closed(timeout=5.0 * PATIENCE).text
