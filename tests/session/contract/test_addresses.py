"""Clients that know several servers: where a session begins, and where it goes on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support import echo, eventually
from support.outages import QUICK, TIMEOUT, quick
from support.relay import Relay
from support.sessions import SessionApi

import gns_py.sync as gns
from gns_py.session import CloseReason, Phase, SessionRequest
from gns_py.session.protocol import frames
from gns_py.session.sync import SessionConfig, SessionRejected, SessionTimeout

Where = tuple[str, int]
ServerMaker = Callable[..., Any]
DOWN = CloseReason.SERVER_SHUTTING_DOWN


@pytest.fixture
def make_server(sessions: SessionApi) -> Iterator[ServerMaker]:
    """Yield a function that makes a server which says who it is, and echoes; more arguments are serve()'s."""
    with ExitStack() as stack:

        def make(name: bytes = b"", **serving: Any) -> Any:
            def handler(session: Any) -> None:
                session.send(name)
                echo(session)

            serving.setdefault("session_config", quick(None))
            return stack.enter_context(sessions.serve(handler, "127.0.0.1", 0, config=QUICK, **serving))

        yield make


@pytest.fixture
def silent() -> Iterator[Where]:
    """Yield an address at which nothing answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()


@pytest.fixture
def make_redirector() -> Iterator[Callable[..., gns.Server]]:
    """Yield a function that makes a server which rejects every client, and says where else to go."""
    with ExitStack() as stack:

        def make(*texts: str) -> gns.Server:
            server: gns.Server

            def handler(connection: gns.Connection) -> None:
                connection.recv(timeout=TIMEOUT)
                names = tuple(each.format(own=server.address) for each in texts)
                answer = frames.GoAway(DOWN, 5_000, "", names), frames.Reject(DOWN, 1_000, "update", b"")
                connection.send_many([each.encode() for each in answer])
                connection.close(1_000, "update", linger=True)

            server = stack.enter_context(gns.serve(handler, "127.0.0.1", 0))
            return server

        yield make


def test_the_next_address_is_tried_where_none_answers(
    sessions: SessionApi, make_server: ServerMaker, silent: Where
) -> None:
    server = make_server(b"second")
    with sessions.connect([silent, str(server.address)], timeout=4.0) as session:
        assert session.recv(timeout=TIMEOUT) == b"second"
    with pytest.raises(SessionTimeout):
        sessions.connect([silent, silent], timeout=0.5)


@pytest.mark.parametrize("reason", [CloseReason.RATE_LIMITED, CloseReason.INTERNAL_ERROR, DOWN])
def test_the_next_address_is_tried_where_there_is_no_room(
    sessions: SessionApi, make_server: ServerMaker, reason: CloseReason
) -> None:
    full = make_server(on_request=lambda request: request.reject(reason=reason))
    other = make_server(b"other")
    with sessions.connect([full.address, other.address]) as session:
        assert session.recv(timeout=TIMEOUT) == b"other"


def test_what_an_application_rejects_is_rejected(sessions: SessionApi, make_server: ServerMaker) -> None:
    asked: list[bytes] = []

    def note(request: SessionRequest[Any]) -> None:
        asked.append(request.data)
        request.accept()

    first = make_server(on_request=lambda request: request.reject(1_234, "banned"))
    second = make_server(on_request=note)
    with pytest.raises(SessionRejected) as rejected:
        sessions.connect([first.address, second.address])
    assert (rejected.value.code, rejected.value.text, rejected.value.addresses) == (1_234, "banned", ())
    assert not asked


def test_a_function_gives_addresses(sessions: SessionApi, make_server: ServerMaker) -> None:
    server = make_server(b"found")
    threads: list[str] = []

    def find() -> list[Any]:
        threads.append(threading.current_thread().name)
        return [server.address]

    with sessions.connect(find) as session:
        assert session.recv(timeout=TIMEOUT) == b"found"
    assert threads == ["gns_py addresses"]


@pytest.mark.parametrize("wrong", [None, [], ["garbage"], [("a", 0)], "a:1"])
def test_a_function_that_gives_no_addresses(sessions: SessionApi, wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        sessions.connect(lambda: wrong)


def test_a_function_that_fails_or_hangs(sessions: SessionApi) -> None:
    def fail() -> list[str]:
        raise LookupError("as planned")

    with pytest.raises(LookupError, match="as planned"):
        sessions.connect(fail)
    may_go = threading.Event()
    try:
        with pytest.raises(TimeoutError):
            sessions.connect(lambda: may_go.wait(TIMEOUT), timeout=0.2)
    finally:
        may_go.set()


@pytest.mark.parametrize("is_first", [True, False])
def test_a_session_is_resumed_at_the_server_that_has_it(
    sessions: SessionApi, make_server: ServerMaker, silent: Where, is_first: bool
) -> None:
    """The other server does not know it, and says so again and again; that is not the end."""
    home, other = make_server(b"home"), make_server(b"other")
    with Relay(home.address) as relay:
        addresses = [("127.0.0.1", relay.port), silent]
        session = sessions.connect(lambda: addresses, config=QUICK, session_config=quick(None))
        addresses[1:] = [other.address]
        if not is_first:
            addresses.reverse()
        assert session.recv(timeout=TIMEOUT) == b"home"
        relay.is_cut = True
        eventually(lambda: session.phase is Phase.DROPPED, TIMEOUT)
        session.send(b"during the outage")
        eventually(lambda: other.counters.not_resumed >= 2, 3 * TIMEOUT)
        assert session.end is None
        relay.is_cut = False
        assert session.recv(timeout=3 * TIMEOUT) == b"during the outage"
        session.close()


def test_the_server_that_had_it_may_say_that_it_is_over(sessions: SessionApi, make_server: ServerMaker) -> None:
    config = SessionConfig(resume_window=0.3)
    home, other = make_server(session_config=quick(config)), make_server(b"other")
    with Relay(home.address) as relay:
        addresses = [("127.0.0.1", relay.port), other.address]
        session = sessions.connect(addresses, config=QUICK, session_config=quick(None))
        session.recv(timeout=TIMEOUT)
        relay.is_cut = True
        assert session.wait_closed(timeout=3 * TIMEOUT).reason is CloseReason.SESSION_EXPIRED
        session.abort()


def test_a_function_that_fails_later_is_logged_once(
    sessions: SessionApi, make_server: ServerMaker, caplog: pytest.LogCaptureFixture
) -> None:
    home = make_server(b"home")
    answers: list[Any] = [[], None, "garbage", LookupError("as planned")]
    asked: list[int] = []
    with Relay(home.address) as relay:

        def find() -> Any:
            asked.append(1)
            if len(asked) == 1:
                return [("127.0.0.1", relay.port)]
            answer = answers[len(asked) % len(answers)]
            if isinstance(answer, Exception):
                raise answer
            return answer

        session = sessions.connect(find, config=QUICK, session_config=quick(None))
        session.recv(timeout=TIMEOUT)
        relay.is_cut = True
        eventually(lambda: session.phase is Phase.DROPPED, TIMEOUT)
        for _ in range(3):
            before = len(asked)
            session.reconnect()  # without a pause
            eventually(lambda: len(asked) > before, 3 * TIMEOUT)  # noqa: B023 - called in this round
        relay.is_cut = False
        session.wait_resumed(timeout=3 * TIMEOUT)
        session.close()
    assert [record.getMessage() for record in caplog.records if "addresses" in record.getMessage()] == [
        "the addresses of the server could not be found; the known ones are tried"
    ]


# ---- servers that redirect ----


def test_connect_follows_a_server_that_goes_away(
    sessions: SessionApi, make_server: ServerMaker, make_redirector: Callable[..., gns.Server]
) -> None:
    server = make_server(b"there")
    first = make_redirector("garbage", "", "127.0.0.1:0", str(server.address))
    with sessions.connect(*first.address) as session:
        assert session.recv(timeout=TIMEOUT) == b"there"


def test_or_says_where_to_go(sessions: SessionApi, make_redirector: Callable[..., gns.Server]) -> None:
    first = make_redirector("10.0.0.1:1", "name.example:2")
    with pytest.raises(SessionRejected) as rejected:
        sessions.connect(*first.address, max_redirects=0)
    assert rejected.value.reason is DOWN
    assert rejected.value.text == "update"
    assert rejected.value.addresses == (("10.0.0.1", 1), ("name.example", 2))


@pytest.mark.parametrize("texts", [("{own}",), ("{own}", "{own}"), (), ("x",) * 16])
def test_a_server_that_sends_its_clients_nowhere(
    sessions: SessionApi, make_redirector: Callable[..., gns.Server], texts: tuple[str, ...]
) -> None:
    with pytest.raises(SessionRejected) as rejected:
        sessions.connect(*make_redirector(*texts).address)
    assert rejected.value.reason is DOWN


def test_servers_that_send_their_clients_to_each_other(
    sessions: SessionApi, make_redirector: Callable[..., gns.Server]
) -> None:
    names: list[str] = []

    class Late(str):
        """The other one's address, which is known only once both are there."""

        __slots__ = ()

        def format(self, *_: object, **named: object) -> str:
            return next(each for each in names if each != str(named["own"]))

    pair = [make_redirector(Late()) for _ in range(2)]
    names += [str(each.address) for each in pair]
    with pytest.raises(SessionRejected) as rejected:
        sessions.connect(*pair[0].address)
    assert rejected.value.addresses == (tuple(pair[1].address),)  # the one that the client has asked has said so
