"""Servers that send their clients away before they close."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from support import PATIENCE, echo, eventually
from support.outages import QUICK, TIMEOUT, quick
from support.relay import Relay
from support.sessions import SessionApi, engine_of

import gns_py.sync as gns
from gns_py.session import CloseReason
from gns_py.session.protocol.departure import NO_DEADLINE
from gns_py.session.protocol.frames import Confirm, Frame, GoAway, Hello, Ready, Reject, Welcome, decode
from gns_py.session.protocol.state import Phase
from gns_py.session.sync import Server, Session, SessionClosed, SessionConfig, SessionFailed, SessionRejected

HELLO = Hello(1, 1, 0, 1000, 1000, 1000, 0, 0, b"")
ELSEWHERE = "game2.example:27015"
SHUTTING_DOWN = CloseReason.SERVER_SHUTTING_DOWN
STAYING: dict[str, Any] = {"on_goaway": lambda *_: None}
"""Arguments that make a client ignore that its server goes away."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def stay(sessions: SessionApi, server: Server, **named: Any) -> Session:
    return sessions.connect(*server.address, **STAYING, **named)


def begin(pool: ThreadPoolExecutor, server: Server, *arguments: Any, **named: Any) -> Future[bool]:
    draining = pool.submit(server.drain, *arguments, **named)
    eventually(lambda: server.is_draining)
    return draining


def is_told(session: Session) -> bool:
    return bool(session.is_going_away)


def receive(raw: gns.Connection) -> Frame:
    return decode(raw.recv(timeout=TIMEOUT))


# ---- sessions ----


def test_all_are_told_and_the_server_waits_for_them(sessions: SessionApi, pool: ThreadPoolExecutor) -> None:
    with sessions.serve(echo, "127.0.0.1", 0) as server, ExitStack() as stack:
        clients = [stack.enter_context(stay(sessions, server)) for _ in range(3)]
        eventually(lambda: len(server.sessions) == 3)
        assert not server.is_draining
        assert not any(map(is_told, (*clients, *server.sessions)))
        draining = begin(pool, server, TIMEOUT, redirect=[ELSEWHERE], text="update")
        eventually(lambda: all(map(is_told, (*clients, *server.sessions))))
        for client in clients:
            client.send(b"still")
            assert client.recv(timeout=TIMEOUT) == b"still"
        assert "draining" in repr(server)
        for client in clients:
            assert not draining.done()
            client.close()
        assert draining.result(TIMEOUT)
        assert not server.is_serving()
        assert "closed" in repr(server)


def test_what_was_sent_comes_before_the_goodbye_at_the_deadline(sessions: SessionApi, pool: ThreadPoolExecutor) -> None:
    sent = itertools.count()
    last: list[int] = []

    def talk(session: Session) -> None:
        with contextlib.suppress(SessionClosed):
            for number in sent:
                session.send(b"%d" % number)
                last[:] = [number]
                session.drain(timeout=TIMEOUT)

    with sessions.serve(talk, "127.0.0.1", 0) as server, stay(sessions, server) as client:
        assert client.recv(timeout=TIMEOUT) == b"0"
        draining = begin(pool, server, 0.5, text="update")
        received = [b"0", *client]
        assert draining.result(TIMEOUT) in (True, False)  # of asyncio, the handler may be cancelled
        end = client.wait_closed(timeout=TIMEOUT)
        assert end.reason is SHUTTING_DOWN
        assert end.ok
        assert received == [b"%d" % number for number in range(len(received))]
        assert len(received) > last[0]


def test_the_first_deadline_and_text_hold_unless_a_second_one_is_earlier(
    sessions: SessionApi, pool: ThreadPoolExecutor
) -> None:
    with sessions.serve(echo, "127.0.0.1", 0) as server, stay(sessions, server) as client:
        first = begin(pool, server, text="first", redirect=[ELSEWHERE])
        later = pool.submit(server.drain, 3600.0, text="later")
        eventually(lambda: is_told(client))
        assert not first.done()
        now = pool.submit(server.drain, 0.0, text="now")
        assert pool.submit(list, client).result(TIMEOUT) == []
        client.close()
        assert {each.result(TIMEOUT) for each in (first, later, now)} <= {False, True}
        assert client.wait_closed(timeout=TIMEOUT).reason is SHUTTING_DOWN
        assert engine_of(client).going_away.text == "first"


def test_closing_while_it_drains(sessions: SessionApi, pool: ThreadPoolExecutor) -> None:
    with sessions.serve(echo, "127.0.0.1", 0) as server, stay(sessions, server) as client:
        draining = begin(pool, server)
        server.close(text="enough")
        assert list(client) == []
        client.close()
        assert draining.result(TIMEOUT)
        assert client.wait_closed(timeout=TIMEOUT).text == "enough"


def test_a_drain_without_clients_is_a_close(sessions: SessionApi) -> None:
    with sessions.serve(echo, "127.0.0.1", 0) as server:
        assert server.drain()
        assert server.drain(0)
        assert not server.is_serving()
        assert server.is_draining
        with pytest.raises(SessionFailed):
            sessions.connect(*server.address, timeout=0.2)


@pytest.mark.parametrize(
    ("arguments", "named", "error"),
    [
        ((-1,), {}, ValueError),
        ((float("nan"),), {}, ValueError),
        (("1",), {}, TypeError),
        ((1,), {"redirect": ""}, TypeError),
        ((1,), {"redirect": ELSEWHERE}, TypeError),
        ((1,), {"redirect": ["nowhere"]}, ValueError),
        ((1,), {"redirect": [ELSEWHERE] * 17}, ValueError),
        ((1,), {"text": "x" * 1025}, ValueError),
        ((1,), {"text": b"x"}, TypeError),
    ],
    ids=str,
)
def test_wrong_arguments_change_nothing(
    sessions: SessionApi, arguments: Any, named: dict[str, Any], error: type[Exception]
) -> None:
    with sessions.serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(error):
            server.drain(*arguments, **named)
        assert not server.is_draining
        sessions.connect(*server.address).close()


@pytest.mark.parametrize("count", [50, pytest.param(500, marks=pytest.mark.slow)])
def test_many_sessions(sessions: SessionApi, pool: ThreadPoolExecutor, count: int) -> None:
    with sessions.serve(echo, "127.0.0.1", 0, limits=None) as server, ExitStack() as stack:
        clients = [stack.enter_context(stay(sessions, server)) for _ in range(count)]
        eventually(lambda: len(server.sessions) == count, TIMEOUT)
        draining = begin(pool, server, 4 * TIMEOUT)
        eventually(lambda: all(map(is_told, clients)), TIMEOUT)
        for client in clients:  # in this order: in asyncio's adapter later handlers may wait for the threads of these
            client.close()
        assert draining.result(4 * TIMEOUT)
        assert {client.wait_closed(timeout=TIMEOUT).ok for client in clients} == {True}


# ---- newcomers ----


def test_newcomers_learn_of_other_servers(sessions: SessionApi, pool: ThreadPoolExecutor) -> None:
    config = SessionConfig(resume_window=None)
    with (
        sessions.serve(echo, "127.0.0.1", 0, session_config=config) as server,
        stay(sessions, server) as client,
    ):
        draining = begin(pool, server, 60.0, redirect=[ELSEWHERE, ("::1", 7)], text="update")
        with gns.connect(*server.address) as raw:
            raw.send(HELLO.encode())
            announcement = receive(raw)
            assert isinstance(announcement, GoAway)
            assert 0 < announcement.deadline_ms <= 60_000
            rest = (announcement.reason, announcement.text, announcement.addresses)
            assert rest == (SHUTTING_DOWN, "update", (ELSEWHERE, "[::1]:7"))
            assert receive(raw) == Reject(SHUTTING_DOWN, 1000, "update", b"")
            assert raw.wait_closed(timeout=TIMEOUT).code == 1000
        with pytest.raises(SessionRejected, match="update") as rejected:
            sessions.connect(*server.address, max_redirects=0)
        assert rejected.value.reason is SHUTTING_DOWN
        assert rejected.value.addresses == (("game2.example", 27015), ("::1", 7))
        assert server.counters.draining >= 2
        client.close()
        assert draining.result(TIMEOUT)


def test_where_there_is_nothing_to_tell_newcomers_are_refused_at_once(
    sessions: SessionApi, pool: ThreadPoolExecutor
) -> None:
    config = SessionConfig(resume_window=None)
    with (
        sessions.serve(echo, "127.0.0.1", 0, session_config=config) as server,
        stay(sessions, server) as client,
    ):
        draining = begin(pool, server)
        with gns.connect(*server.address, wait=False) as raw:
            assert raw.wait_closed(timeout=TIMEOUT).code == SHUTTING_DOWN.native_code
        client.close()
        assert draining.result(TIMEOUT)


def test_clients_that_say_nothing_do_not_hold_it_up(sessions: SessionApi, pool: ThreadPoolExecutor) -> None:
    with sessions.serve(echo, "127.0.0.1", 0) as server, stay(sessions, server) as client, ExitStack() as stack:
        before = [stack.enter_context(gns.connect(*server.address)) for _ in range(5)]
        draining = begin(pool, server, 10 * TIMEOUT, redirect=[ELSEWHERE])
        silent = [*before, *(stack.enter_context(gns.connect(*server.address)) for _ in range(5))]
        client.close()
        assert draining.result(TIMEOUT)
        codes = {raw.wait_closed(timeout=TIMEOUT).code for raw in silent}
        assert codes <= {SHUTTING_DOWN.native_code, 1001}


def test_one_that_is_accepted_already_is_told_as_soon_as_it_has_its_session(
    sessions: SessionApi, pool: ThreadPoolExecutor
) -> None:
    requests: list[Any] = []
    with (
        sessions.serve(echo, "127.0.0.1", 0, on_request=requests.append) as server,
        gns.connect(*server.address) as raw,
        gns.connect(*server.address) as other,
    ):
        raw.send(HELLO.encode())
        eventually(lambda: requests)
        draining = begin(pool, server, redirect=[ELSEWHERE])
        other.send(HELLO.encode())
        assert isinstance(receive(other), GoAway)
        requests[0].accept()
        assert isinstance(receive(raw), Welcome)
        assert not draining.done()
        raw.send(Confirm(1).encode())
        assert receive(raw) == Ready(1)
        assert receive(raw) == GoAway(SHUTTING_DOWN, NO_DEADLINE, "", (ELSEWHERE,))
        raw.close()
        assert draining.result(TIMEOUT)


def test_a_flood_of_newcomers(sessions: SessionApi, pool: ThreadPoolExecutor) -> None:
    over = threading.Event()

    def attempt() -> CloseReason | None:
        try:
            sessions.connect(*server.address, timeout=TIMEOUT, max_redirects=0).close()
        except SessionFailed as failed:
            return failed.reason
        return None

    def try_again(_: int) -> set[CloseReason | None]:
        return {attempt() for _ in iter(over.is_set, True)}

    with sessions.serve(echo, "127.0.0.1", 0, limits=None) as server, stay(sessions, server) as client:
        draining = begin(pool, server, TIMEOUT, redirect=[ELSEWHERE])
        flood = [pool.submit(try_again, number) for number in range(4)]
        for number in range(50):
            client.send(b"%d" % number)
            assert client.recv(timeout=TIMEOUT) == b"%d" % number
        eventually(lambda: server.counters.draining > 20)
        over.set()
        assert {reason for each in flood for reason in each.result(TIMEOUT)} == {SHUTTING_DOWN}
        client.close()
        assert draining.result(TIMEOUT)
        assert server.counters.established == 1


# ---- outages ----


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_session_without_a_connection(sessions: SessionApi, pool: ThreadPoolExecutor, comes_back: bool) -> None:
    """It is told once it comes back, on each connection; at the deadline it ends at once."""
    ends: list[Any] = []

    def serve(session: Session) -> None:
        with contextlib.suppress(SessionClosed):
            echo(session)
        ends.append(session.wait_closed(timeout=TIMEOUT))

    config = quick(SessionConfig(resume_window=4 * TIMEOUT))
    with (
        sessions.serve(serve, "127.0.0.1", 0, config=QUICK, session_config=config) as server,
        Relay(server.address) as relay,
    ):
        client = sessions.connect("127.0.0.1", relay.port, config=QUICK, session_config=config, **STAYING)
        relay.is_cut = True
        eventually(lambda: [each.phase for each in server.sessions] == [Phase.DROPPED], TIMEOUT)
        draining = begin(pool, server, None if comes_back else 0.2, redirect=[ELSEWHERE])
        if not comes_back:
            draining.result(TIMEOUT)
            eventually(lambda: [end.reason for end in ends] == [SHUTTING_DOWN])
            client.abort()
            return
        relay.is_cut = False
        eventually(lambda: client.is_connected and is_told(client), TIMEOUT)
        engine_of(client).going_away = None
        client.reconnect()
        eventually(lambda: client.is_connected and is_told(client), TIMEOUT)
        client.send(b"here")
        assert client.recv(timeout=TIMEOUT) == b"here"
        assert not draining.done()
        client.close()
        assert draining.result(TIMEOUT)
        assert [end.reason for end in ends] == [CloseReason.CLOSED_BY_CLIENT]


def test_one_that_waits_for_a_connection_expires_without_a_deadline(
    sessions: SessionApi, pool: ThreadPoolExecutor
) -> None:
    config = quick(SessionConfig(resume_window=1.0))
    with (
        sessions.serve(echo, "127.0.0.1", 0, config=QUICK, session_config=config) as server,
        Relay(server.address) as relay,
    ):
        client = sessions.connect("127.0.0.1", relay.port, config=QUICK, session_config=config, **STAYING)
        relay.is_cut = True
        assert begin(pool, server).result(2 * TIMEOUT)
        client.abort()


def test_the_handler_can_see_it(sessions: SessionApi, pool: ThreadPoolExecutor) -> None:
    """A handler that does not wait for its client can end by itself."""

    def play(session: Session) -> None:
        while not session.is_going_away:
            time.sleep(0.01)
        session.close(1234, "the round is over")

    with sessions.serve(play, "127.0.0.1", 0) as server, stay(sessions, server) as client:
        eventually(lambda: len(server.sessions) == 1)
        assert begin(pool, server, 20.0 * PATIENCE).result(TIMEOUT)
        assert client.wait_closed(timeout=TIMEOUT).code == 1234
