"""listen(), serve() and their objects, where handshakes are not the point."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import PATIENCE, echo, eventually
from support.sessions import SessionApi

import gns_py
import gns_py.sync as gns
from gns_py import Config, ConfigValue, GNSError, InvalidStateError, NotRunningError
from gns_py.session import CloseReason
from gns_py.session.protocol.frames import Hello
from gns_py.session.sync import AdmissionRules, ListenSocket, Session

HELLO = Hello(1, 1, 0, 1000, 1000, 1000, 0, 0, b"")


def test_their_reprs_show_where_they_listen(sessions: SessionApi, session_listener: ListenSocket) -> None:
    assert str(session_listener.address) in repr(session_listener)
    with sessions.serve(echo, "127.0.0.1", 0) as server:
        assert str(server.address) in repr(server)


def test_options_of_a_listen_socket(sessions: SessionApi, session_listener: ListenSocket) -> None:
    session_listener.set_config(Config(recv_queue_messages=77))
    with ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(session_listener.accept, timeout=5.0)
        with sessions.connect(*session_listener.address) as client:
            session = accepting.result()
            assert session.get_config(ConfigValue.RECV_QUEUE_MESSAGES) == 77
            client.abort()
        session.abort()


def test_closing_ends_an_iteration_and_refuses_accept(sessions: SessionApi, session_listener: ListenSocket) -> None:
    with ThreadPoolExecutor(1) as pool:
        iterating = pool.submit(list, session_listener)
        with contextlib.suppress(GNSError):
            sessions.connect(*session_listener.address, timeout=0.2)
        session_listener.close()
        requests: list[Any] = iterating.result(timeout=5.0 * PATIENCE)
    assert len(requests) == 1
    with pytest.raises(InvalidStateError, match="closed"):
        session_listener.accept(timeout=5.0)
    assert list(session_listener) == []


def test_accept_ends_with_the_listen_socket(session_listener: ListenSocket) -> None:
    with ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(session_listener.accept, timeout=10.0 * PATIENCE)
        with pytest.raises(TimeoutError):
            accepting.result(timeout=0.1)
        session_listener.close()
        with pytest.raises(InvalidStateError, match="closed"):
            accepting.result(timeout=5.0 * PATIENCE)


def test_a_request_names_its_client(sessions: SessionApi) -> None:
    gns_py.start("str:alice")
    seen: list[str] = []

    def decide(request: Any) -> None:
        seen.append(str(request.identity))
        request.accept()

    with sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server, sessions.connect(*server.address):
        assert seen == ["str:alice"]


def test_waiting_for_a_handshake_has_a_limit(session_listener: ListenSocket) -> None:
    with gns.connect(*session_listener.address, wait=False) as raw, ThreadPoolExecutor(1) as pool:
        taking = pool.submit(lambda: next(iter(session_listener)))
        raw.send(HELLO.encode())
        session = taking.result(timeout=5.0 * PATIENCE).accept()
        with pytest.raises(TimeoutError):
            session.wait_established(timeout=0.1)
        session.abort()


def test_the_oldest_handshake_gives_way_when_there_is_no_place(sessions: SessionApi) -> None:
    with sessions.serve(echo, "127.0.0.1", 0, rules=AdmissionRules(max_pending=1)) as server:
        with gns.connect(*server.address) as silent:
            with sessions.connect(*server.address) as client:
                client.send(b"x")
                assert client.recv(timeout=5.0) == b"x"
            assert silent.wait_closed(timeout=5.0 * PATIENCE).code == CloseReason.RATE_LIMITED.native_code
        assert server.counters.gave_way == 1


def test_a_stopped_runtime_ends_them(sessions: SessionApi) -> None:
    with (
        sessions.serve(echo, "127.0.0.1", 0) as server,
        sessions.listen("127.0.0.1", 0) as listener,
        ThreadPoolExecutor(1) as pool,
    ):
        client = sessions.connect(*server.address)
        accepting = pool.submit(listener.accept, timeout=10.0 * PATIENCE)
        with pytest.raises(TimeoutError):
            accepting.result(timeout=0.1)
        gns_py.stop(linger=0)
        assert isinstance(accepting.exception(timeout=5.0 * PATIENCE), NotRunningError | InvalidStateError)
        eventually(lambda: not server.is_serving())
        assert client.wait_closed(timeout=5.0).ok is False


def test_draining_waits_for_handlers_that_have_not_begun(sessions: SessionApi) -> None:
    for _ in range(5):
        with sessions.serve(echo, "127.0.0.1", 0) as server:
            client = sessions.connect(*server.address)
            closing = threading.Timer(0.05, client.close)
            closing.start()
            assert server.drain(5.0 * PATIENCE)
            closing.join()


def test_a_server_of_sessions_that_do_not_end(sessions: SessionApi) -> None:
    """With a limit, waiting for the end raises TimeoutError; draining closes the sessions."""

    def stay(session: Session) -> None:
        over.wait(20.0)
        session.abort()
        has_aborted.set()

    over, has_aborted = threading.Event(), threading.Event()
    with sessions.serve(stay, "127.0.0.1", 0) as server, sessions.connect(*server.address):
        eventually(lambda: len(server.sessions) == 1)
        with pytest.raises(TimeoutError):
            server.wait_closed(timeout=0.1)
        threading.Timer(0.3, over.set).start()
        assert not server.drain(0.1)
        has_aborted.wait(20.0)
