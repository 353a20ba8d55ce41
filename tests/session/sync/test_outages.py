"""Programs of threads whose sessions lose their connections."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import echo, eventually
from support.outages import QUICK, TIMEOUT, quick
from support.relay import Relay

from gns_py import SocketError
from gns_py.session import CloseReason
from gns_py.session.sync import Server, Session, SessionClosed, SessionConfig, connect, dialer, listen, serve
from gns_py.sync import client as transport_client


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(echo, "127.0.0.1", 0, config=QUICK, session_config=quick(SessionConfig(resume_window=2.0))) as server:
        yield server


@pytest.fixture
def relay(server: Server) -> Iterator[Relay]:
    with Relay(server.address) as relay:
        yield relay


WAITS: dict[str, Callable[[Session], object]] = {
    "recv": lambda session: session.recv(),
    "drain": lambda session: session.drain(),
    "wait_resumed": lambda session: session.wait_resumed(),
    "wait_closed": lambda session: session.wait_closed(),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_callback_cannot_wait_for_its_own_session(relay: Relay, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """Nothing would come while the thread is there that has to read: the session ends, and does not hang."""
    with connect(
        "127.0.0.1",
        relay.port,
        config=QUICK,
        session_config=quick(None),
        on_dropped=lambda session, _: void(WAITS[name](session)),
    ) as bad:
        relay.is_cut = True
        with caplog.at_level(logging.ERROR, "gns_py"):
            bad.reconnect()
            assert bad.wait_closed(timeout=TIMEOUT).reason is CloseReason.INTERNAL_ERROR
    (record,) = caplog.records
    assert "a callback cannot wait" in str(record.exc_info)


def void(_: object) -> None:
    """Drop a result."""


def test_a_callback_uses_another_session(server: Server, relay: Relay) -> None:
    answers: list[bytes] = []

    def ask_other(_: object, __: object) -> None:
        other.send(b"question")
        answers.append(other.recv(timeout=TIMEOUT))

    with (
        connect(*server.address, config=QUICK, session_config=quick(None)) as other,
        connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None), on_dropped=ask_other) as session,
    ):
        session.reconnect()
        session.send(b"still here")
        assert session.recv(timeout=TIMEOUT) == b"still here"
        eventually(lambda: answers == [b"question"], TIMEOUT)


def test_a_session_is_dropped_while_it_has_no_connection(server: Server, relay: Relay) -> None:
    sessions = [connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None))]
    (served,) = server.sessions
    relay.is_cut = True
    eventually(lambda: not sessions[0].is_connected, TIMEOUT)
    with pytest.warns(ResourceWarning, match="unclosed session"):
        sessions.clear()
    relay.is_cut = False
    assert served.wait_closed(timeout=TIMEOUT).reason is CloseReason.SESSION_EXPIRED
    eventually(lambda: all(thread.name != "gns_py reconnect" for thread in threading.enumerate()), TIMEOUT)


def test_a_servers_session_is_dropped_while_it_has_no_connection() -> None:
    """The client learns it when it comes back."""
    with (
        listen("127.0.0.1", 0, config=QUICK, session_config=quick(None)) as listener,
        Relay(listener.address) as relay,
        ThreadPoolExecutor(1) as pool,
    ):
        accepting = pool.submit(listener.accept, timeout=TIMEOUT)
        client = connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None))
        sessions = [accepting.result()]
        del accepting
        relay.is_cut = True
        eventually(lambda: not (client.is_connected or sessions[0].is_connected), TIMEOUT)
        with pytest.warns(ResourceWarning, match="unclosed session"):
            sessions.clear()
        relay.is_cut = False
        assert client.wait_closed(timeout=TIMEOUT).reason is CloseReason.ABORTED


def test_each_waiting_thread_goes_on(relay: Relay) -> None:
    with (
        connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None)) as session,
        ThreadPoolExecutor(3) as pool,
    ):
        relay.is_cut = True
        eventually(lambda: not session.is_connected, TIMEOUT)
        session.send(b"question")
        receiving = pool.submit(session.recv)
        waiting = [pool.submit(session.wait_resumed), pool.submit(session.drain)]
        relay.is_cut = False
        assert receiving.result(TIMEOUT) == b"question"
        for each in waiting:
            each.result(TIMEOUT)


def test_each_waiting_thread_learns_of_the_end(relay: Relay) -> None:
    session = connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None))
    with ThreadPoolExecutor(4) as pool:
        relay.is_cut = True
        eventually(lambda: not session.is_connected, TIMEOUT)
        session.send(b"never")
        waiting = [pool.submit(each) for each in (session.recv, session.wait_resumed, session.drain)]
        ending = pool.submit(session.wait_closed)
        for each in waiting:
            with pytest.raises(SessionClosed):
                each.result(TIMEOUT)
        assert ending.result(TIMEOUT).reason is CloseReason.SESSION_EXPIRED


def test_no_descriptor_is_left_for_another_connection(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that the system refuses is made again."""
    real, failures = transport_client.connect_in, [OSError(24, "Too many open files"), SocketError("as planned")]

    def connect_in(*arguments: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*arguments, **named)

    monkeypatch.setattr(dialer, "connect_in", connect_in)
    with connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None)) as session:
        session.reconnect()
        session.wait_resumed(timeout=TIMEOUT)
        assert not failures
        session.send(b"still here")
        assert session.recv(timeout=TIMEOUT) == b"still here"
