"""Servers that drain, and sessions with which another server goes on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from support import eventually
from support.outages import QUICK, TIMEOUT, quick
from support.relay import Relay
from support.sessions import SessionApi

from gns_py.session import CloseReason
from gns_py.session._core.keeper import SessionKeeper
from gns_py.session._core.newcomer import Newcomer
from gns_py.session._core.resumable import ResumableEndpoint
from gns_py.session.store import MemoryStore
from gns_py.session.sync import Session, SessionClosed

from .test_drain import ELSEWHERE, STAYING, begin


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def echo(session: Session) -> None:
    with contextlib.suppress(SessionClosed):
        for data in session:
            session.send(data)
            session.commit()


def test_at_the_deadline_it_is_left_to_another_server(sessions: SessionApi, pool: ThreadPoolExecutor) -> None:
    """A client that stays for too long loses nothing, and the server that drains takes none back."""
    ends: list[Any] = []
    count = 300

    def serve(session: Session) -> None:
        echo(session)
        ends.append(session.wait_closed(timeout=TIMEOUT).reason)

    def send() -> None:
        for number in range(count):
            client.send(b"%d" % number)
            if number % 10 == 0:
                client.drain(timeout=TIMEOUT)

    named: dict[str, Any] = {"config": QUICK, "session_config": quick(None)}
    keeping: dict[str, Any] = {"store": MemoryStore(), "durable": True, **named}
    with (
        sessions.serve(serve, "127.0.0.1", 0, **keeping) as old,
        sessions.serve(serve, "127.0.0.1", 0, **keeping) as new,
        Relay(old.address) as relay,
        ExitStack() as stack,
    ):
        client = sessions.connect("127.0.0.1", relay.port, **named, **STAYING)
        stack.callback(client.abort)
        client.send(b"first")
        assert client.recv(timeout=TIMEOUT) == b"first"
        draining = begin(pool, old, 0.3, redirect=[ELSEWHERE])
        sending = pool.submit(send)
        draining.result(TIMEOUT)
        eventually(lambda: ends == [CloseReason.FAILED_OVER])
        relay.change_server(new.address)
        assert [client.recv(timeout=TIMEOUT) for _ in range(count)] == [b"%d" % number for number in range(count)]
        sending.result(TIMEOUT)
        client.send(b"last")
        assert client.recv(timeout=TIMEOUT) == b"last"
        assert client.drops >= 1  # it leaves shortly before the deadline, and may come back once
        client.close()
        eventually(lambda: ends == [CloseReason.FAILED_OVER, CloseReason.CLOSED_BY_CLIENT], TIMEOUT)


def test_a_client_that_comes_back_at_the_deadline_is_left_to_another_server(
    sessions: SessionApi, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has let it have the session, but has not gone on with it, when the session ends there."""
    held = threading.Event()
    adopt = ResumableEndpoint.adopt

    def adopt_later(endpoint: ResumableEndpoint, newcomer: Newcomer) -> None:
        if endpoint.engine.is_client or held.is_set():
            adopt(endpoint, newcomer)
        else:
            held.set()

    monkeypatch.setattr(ResumableEndpoint, "adopt", adopt_later)
    named: dict[str, Any] = {"config": QUICK, "session_config": quick(None)}
    keeping: dict[str, Any] = {"store": MemoryStore(), "durable": True, **named}
    with (
        sessions.serve(echo, "127.0.0.1", 0, **keeping) as old,
        sessions.serve(echo, "127.0.0.1", 0, **keeping) as new,
        Relay(old.address) as relay,
        sessions.connect("127.0.0.1", relay.port, **named, **STAYING) as client,
    ):
        client.send(b"first")
        assert client.recv(timeout=TIMEOUT) == b"first"
        client.reconnect()
        assert held.wait(TIMEOUT)
        pool.submit(old.drain, 0.0).result(TIMEOUT)
        relay.change_server(new.address)
        client.send(b"second")
        assert client.recv(timeout=TIMEOUT) == b"second"


def test_it_moves_to_where_the_server_says(sessions: SessionApi, pool: ThreadPoolExecutor) -> None:
    count = 300
    named: dict[str, Any] = {"config": QUICK, "session_config": quick(None)}
    keeping: dict[str, Any] = {"store": MemoryStore(), "durable": True, **named}
    with (
        sessions.serve(echo, "127.0.0.1", 0, **keeping) as old,
        sessions.serve(echo, "127.0.0.1", 0, **keeping) as new,
        sessions.connect(*old.address, **named) as client,
    ):
        for number in range(count):
            client.send(b"%d" % number)
        draining = begin(pool, old, TIMEOUT, redirect=[new.address])
        assert [client.recv(timeout=TIMEOUT) for _ in range(count)] == [b"%d" % number for number in range(count)]
        eventually(lambda: client.remote_address == new.address and client.is_connected, TIMEOUT)
        client.send(b"last")
        assert client.recv(timeout=TIMEOUT) == b"last"
        assert client.drops == 1
        assert draining.result(TIMEOUT)


def test_a_server_learns_that_an_idle_client_has_moved(
    sessions: SessionApi, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it drains, it asks the store more often than it does otherwise."""

    async def never_watch(_: SessionKeeper) -> None:
        await asyncio.Event().wait()

    ends: list[CloseReason] = []

    def serve(session: Session) -> None:
        with contextlib.suppress(SessionClosed):
            session.recv()
        ends.append(session.wait_closed(timeout=TIMEOUT).reason)

    monkeypatch.setattr(SessionKeeper, "watch", never_watch)
    keeping: dict[str, Any] = {"store": MemoryStore(), "durable": True}
    with (
        sessions.serve(serve, "127.0.0.1", 0, **keeping) as old,
        sessions.serve(serve, "127.0.0.1", 0, **keeping) as new,
    ):
        client = sessions.connect(*old.address)
        try:
            eventually(lambda: old.sessions, TIMEOUT)
            assert begin(pool, old, None, redirect=[new.address]).result(TIMEOUT)
            assert ends == [CloseReason.FAILED_OVER]
            eventually(lambda: client.remote_address == new.address and client.is_connected, TIMEOUT)
        finally:
            client.abort()


def test_closing_ends_it_for_good(sessions: SessionApi) -> None:
    """Unlike draining: no other server has it afterwards."""
    store = MemoryStore()

    def serve(session: Session) -> None:
        with contextlib.suppress(SessionClosed):
            for data in session:
                session.send(data)
                session.commit()

    named: dict[str, Any] = {"config": QUICK, "session_config": quick(None)}
    with (
        sessions.serve(serve, "127.0.0.1", 0, store=store, durable=True, **named) as server,
        sessions.serve(serve, "127.0.0.1", 0, store=store, durable=True, **named) as other,
    ):
        client = sessions.connect([tuple(server.address), tuple(other.address)], **named)
        client.send(b"stored")
        assert client.recv(timeout=TIMEOUT) == b"stored"
        server.close()
        assert client.wait_closed(timeout=TIMEOUT).reason is CloseReason.SERVER_SHUTTING_DOWN
        eventually(lambda: len(store) == 0, TIMEOUT)
        assert other.sessions == []
