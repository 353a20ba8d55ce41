"""Servers that go away, and clients that leave them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support import echo, eventually
from support.outages import QUICK, TIMEOUT, NetworkMaker
from support.relay import Relay
from support.sessions import SessionApi, engine_of, send_goaway

from gns_py.errors import InvalidStateError
from gns_py.session import CloseReason, GoingAway, Phase
from gns_py.session.sync import Session, SessionClosed, SessionClosedError, SessionConfig

DOWN = CloseReason.SERVER_SHUTTING_DOWN
ServerMaker = Callable[..., Any]


@pytest.fixture
def make_server(sessions: SessionApi) -> Iterator[ServerMaker]:
    """Yield a function that makes a server which says who it is, and echoes."""
    with ExitStack() as stack:

        def make(name: bytes) -> Any:
            def handler(session: Any) -> None:
                session.send(name)
                echo(session)

            return stack.enter_context(sessions.serve(handler, "127.0.0.1", 0, config=QUICK))

        yield make


def the_session_of(server: Any) -> Any:
    return eventually(lambda: next(iter(server.sessions), None), TIMEOUT)


def test_a_session_leaves_at_once_and_loses_nothing(make_network: NetworkMaker) -> None:
    network = make_network()
    client, server = network.client, network.server
    for number in range(100):
        client.send(b"c%d" % number)
        server.send(b"s%d" % number)
    send_goaway(server, text="update")
    server.send(b"after it")
    assert list(server) == [b"c%d" % number for number in range(100)]
    server.close(data=b"until then")
    assert list(client) == [*(b"s%d" % number for number in range(100)), b"after it"]
    for end in (client, server):
        reached = end.wait_closed(timeout=TIMEOUT)
        assert (reached.reason, reached.text, reached.ok, reached.undelivered) == (DOWN, "update", True, 0)
    assert client.going_away is not None
    with pytest.raises(SessionClosed):
        client.send(b"too late")


@pytest.mark.parametrize("how", ["in the callback", "later", "at the deadline"])
def test_the_application_chooses_the_moment(make_network: NetworkMaker, how: str) -> None:
    told: list[GoingAway] = []

    def on_goaway(session: Session, going_away: GoingAway) -> None:
        told.append(going_away)
        if how == "in the callback":
            session.send(b"last words")
            session.move()

    network = make_network(callbacks={"on_goaway": on_goaway})
    client, server = network.client, network.server
    seconds = 0.3 if how == "at the deadline" else 60.0
    began = time.monotonic()
    send_goaway(server, ("b.example", 2), "garbage", seconds=seconds)
    with pytest.raises(TimeoutError):
        client.recv(timeout=0.1)  # so that threads read, too
    eventually(lambda: told, TIMEOUT)
    (news,) = told
    assert (news.reason, news.addresses) == (DOWN, (("b.example", 2),))
    assert began + seconds - 0.01 <= news.deadline <= time.monotonic() + seconds
    if how == "later":
        assert client.going_away == news
        client.send(b"last words")
        client.move()
        client.move()
    if how != "at the deadline":
        assert server.recv(timeout=TIMEOUT) == b"last words"
    with pytest.raises(SessionClosed):
        server.recv(timeout=TIMEOUT)
    server.close()
    assert client.wait_closed(timeout=TIMEOUT).reason is DOWN
    with pytest.raises(SessionClosed):
        client.move()


def test_only_a_client_moves_and_only_if_its_server_goes(make_network: NetworkMaker) -> None:
    network = make_network()
    with pytest.raises(InvalidStateError):
        network.server.move()
    network.client.move()
    assert network.client.going_away is None
    assert network.client.phase is Phase.ESTABLISHED


@pytest.mark.parametrize("wrong", ["text", 7, lambda: (yield)])
def test_the_callback_is_a_plain_function(sessions: SessionApi, wrong: Any) -> None:
    with pytest.raises(TypeError, match="on_goaway"):
        sessions.connect("127.0.0.1", 1, on_goaway=wrong)


def test_a_callback_that_raises_ends_its_session(make_network: NetworkMaker, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise LookupError("as planned")

    network = make_network(callbacks={"on_goaway": fail})
    send_goaway(network.server)
    assert network.client.wait_closed(timeout=TIMEOUT).reason is CloseReason.INTERNAL_ERROR
    assert "as planned" in caplog.text


def test_a_server_that_announces_its_end_endlessly(make_network: NetworkMaker) -> None:
    told: list[object] = []
    network = make_network(
        SessionConfig(resume_window=None), callbacks={"on_goaway": lambda _, news: told.append(news)}
    )
    for number in range(200):
        send_goaway(network.server, ("a.example", 1 + number))
    assert network.client.wait_closed(timeout=TIMEOUT).reason is CloseReason.RATE_LIMITED
    assert len(told) <= 130


def test_a_client_that_does_not_read_leaves_all_the_same(make_network: NetworkMaker) -> None:
    """Messages on their way to it are not lost silently: both ends say so."""
    network = make_network(SessionConfig(close_timeout=0.5, credit_messages=10))
    for _ in range(100):
        network.server.send(b"unread")
    send_goaway(network.server)
    with pytest.raises(SessionClosed):
        network.server.recv(timeout=TIMEOUT)
    with pytest.raises((SessionClosed, TimeoutError)):
        network.server.drain(timeout=2.0)
    end = network.client.wait_closed(timeout=TIMEOUT)
    assert not end.ok
    network.server.close()
    assert not network.server.wait_closed(timeout=TIMEOUT).ok


def test_the_next_session_begins_where_the_server_says(sessions: SessionApi, make_server: ServerMaker) -> None:
    old, new = make_server(b"old"), make_server(b"new")
    names: list[bytes] = []
    previous: list[Any] = []
    for session in sessions.connect_again(*old.address, config=QUICK):
        names.append(session.recv(timeout=TIMEOUT))
        previous.append(session.previous)
        if len(names) == 2:
            break
        session.send(b"to the last")
        send_goaway(the_session_of(old), new.address)
        assert list(session) == [b"to the last"]
    assert names == [b"old", b"new"]
    assert previous[0] is None
    assert (previous[1].reason, previous[1].ok) == (DOWN, True)


def test_or_where_its_own_addresses_say(sessions: SessionApi, make_server: ServerMaker) -> None:
    old, new = make_server(b"old"), make_server(b"new")
    addresses = [old.address]
    names = []
    for session in sessions.connect_again(lambda: addresses, max_redirects=0):
        names.append(session.recv(timeout=TIMEOUT))
        if len(names) == 2:
            break
        addresses[:] = [new.address]
        send_goaway(the_session_of(old), ("10.0.0.1", 1))
        assert list(session) == []
    assert names == [b"old", b"new"]


def test_a_session_that_made_way_is_not_followed_by_another(sessions: SessionApi) -> None:
    """The two would end each other for ever."""

    def decide(request: Any) -> None:
        request.accept(key="player:42")

    with sessions.serve(echo, "127.0.0.1", 0, on_request=decide) as server:
        is_there = threading.Event()
        ends: list[Any] = []

        def first() -> None:
            for session in sessions.connect_again(*server.address):
                is_there.set()
                list(session)
                ends.append(session.end)

        playing = threading.Thread(target=first)
        playing.start()
        assert is_there.wait(TIMEOUT)
        with sessions.connect(*server.address) as second:
            playing.join(TIMEOUT)
            assert not playing.is_alive()
            assert [each.reason for each in ends] == [CloseReason.SESSION_TAKEN_OVER]
            assert second.is_established


def test_a_rejection_ends_the_iteration(sessions: SessionApi) -> None:
    with (
        sessions.serve(echo, "127.0.0.1", 0, on_request=lambda request: request.reject(1_234, "banned")) as server,
        pytest.raises(SessionClosedError, match="banned"),
    ):
        next(iter(sessions.connect_again(*server.address)))


@pytest.mark.parametrize("how", ["at once", "move"])
def test_a_durable_session_moves_with_nothing_lost(make_network: NetworkMaker, how: str) -> None:
    """The other address is another way to the same server, which knows the session, as one with its store would."""
    callbacks = {"on_goaway": lambda *_: None} if how == "move" else {}
    network = make_network(callbacks=callbacks)
    client, server = network.client, network.server
    engine_of(client).is_durable = True
    with Relay(network.listener.address) as other:
        for number in range(50):
            client.send(b"c%d" % number)
            server.send(b"s%d" % number)
        send_goaway(server, ("127.0.0.1", other.port))
        if how == "move":
            eventually(lambda: client.going_away, TIMEOUT)
            client.move()
        eventually(lambda: client.drops == 1, TIMEOUT)
        client.send(b"c50")
        client.wait_resumed(timeout=TIMEOUT)
        server.wait_resumed(timeout=TIMEOUT)
        server.send(b"s50")
        assert [server.recv(timeout=TIMEOUT) for _ in range(51)] == [b"c%d" % number for number in range(51)]
        assert [client.recv(timeout=TIMEOUT) for _ in range(51)] == [b"s%d" % number for number in range(51)]
        assert client.remote_address == ("127.0.0.1", other.port)
        assert client.going_away is None
        client.abort()


def test_a_redirect_to_nowhere_leads_a_durable_session_back(make_network: NetworkMaker) -> None:
    network = make_network(callbacks={"on_goaway": lambda *_: None})
    engine_of(network.client).is_durable = True
    send_goaway(network.server, ("127.0.0.1", 9), ("no.such.host.invalid", 1))
    eventually(lambda: network.client.going_away, TIMEOUT)
    network.client.send(b"kept")
    network.client.move()
    assert network.server.recv(timeout=3 * TIMEOUT) == b"kept"
    network.client.wait_resumed(timeout=TIMEOUT)
    assert network.client.remote_address == ("127.0.0.1", network.relay.port)
