"""Programs that do during an outage what the guide does not show: nothing is lost, and other sessions go on."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from support import eventually
from support.outages import QUICK, TIMEOUT, Network, NetworkMaker, cut, mend, quick
from support.relay import Relay
from support.sessions import SessionApi

import gns_py
from gns_py import InvalidStateError
from gns_py.session import CloseReason, Phase
from gns_py.session.sync import Session, SessionClosed, SessionClosedError, SessionConfig, SessionFailed


def check_goes_on(network: Network) -> None:
    """Check that a session passes messages both ways, on whatever connection."""
    for one, other in ((network.client, network.server), (network.server, network.client)):
        one.send(b"still here")
        assert other.recv(timeout=TIMEOUT) == b"still here"


# ---- callbacks ----


@pytest.mark.parametrize("name", ["on_dropped", "on_resumed"])
@pytest.mark.parametrize("at", ["client", "server"])
def test_a_callback_that_raises_ends_its_session_only(
    make_network: NetworkMaker, sessions: SessionApi, caplog: pytest.LogCaptureFixture, name: str, at: str
) -> None:
    bad: list[bytes] = []
    told: list[bytes] = []

    def callback(session: Any, _: object) -> None:
        told.append(session.id)
        if session.id in bad:
            raise LookupError("as planned")

    of_client = {name: callback} if at == "client" else {}
    network = make_network(callbacks=of_client, **({name: callback} if at == "server" else {}))
    bad.append(network.client.id)
    with ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(network.listener.accept, timeout=TIMEOUT)
        client = sessions.connect(
            "127.0.0.1", network.relay.port, config=QUICK, session_config=quick(None), **of_client
        )
        good = Network(client, accepting.result(), network.relay, network.listener)
    try:
        with caplog.at_level(logging.ERROR, "gns_py"):
            network.relay.is_cut = True
            for each in (network.client, network.server, *good[:2]):
                eventually(lambda: not each.is_connected, TIMEOUT)  # noqa: B023 - called in this round
            mend(network)
            end = getattr(network, at).wait_closed(timeout=TIMEOUT)
            assert (end.reason, end.text) == (CloseReason.INTERNAL_ERROR, "a callback raised an exception")
            good.client.wait_resumed(timeout=TIMEOUT)
            check_goes_on(good)
        eventually(lambda: good.client.id in told, TIMEOUT)
        errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert ["as planned" in str(record.exc_info) for record in errors] == [True]
        other = network.server if at == "client" else network.client
        if (at, name) != ("client", "on_dropped"):  # there, no connection is left that could tell the server
            assert other.wait_closed(timeout=TIMEOUT).reason is CloseReason.INTERNAL_ERROR
    finally:
        good.client.abort()
        good.server.abort()


async def coroutine_function(session: object, _: object) -> None:
    """Do nothing, as a callback that nothing would await."""


def generator_function(session: object, _: object) -> Any:
    yield session


@pytest.mark.parametrize("callback", [coroutine_function, generator_function, "text", 1])
@pytest.mark.parametrize("name", ["on_dropped", "on_resumed"])
def test_callbacks_are_plain_functions(sessions: SessionApi, name: str, callback: Any) -> None:
    calls: list[Callable[..., Any]] = [
        lambda **named: sessions.connect("127.0.0.1", 9, **named),
        lambda **named: sessions.listen("127.0.0.1", 0, **named),
        lambda **named: sessions.serve(lambda session: None, "127.0.0.1", 0, **named),  # noqa: ARG005
    ]
    for call in calls:
        with pytest.raises(TypeError, match=name):
            call(**{name: callback})


def test_a_callback_hears_of_reconnect_at_once(make_network: NetworkMaker) -> None:
    told: list[object] = []
    network = make_network(callbacks={"on_dropped": lambda session, why: told.append(why.reason)})  # noqa: ARG005
    network.relay.is_cut = True
    network.client.reconnect()
    eventually(lambda: told == [CloseReason.CONNECTION_LOST], TIMEOUT)
    assert not network.client.is_connected


def test_callbacks_may_send(make_network: NetworkMaker) -> None:
    network = make_network(
        callbacks={
            "on_dropped": lambda session, why: session.send(b"dropped"),  # noqa: ARG005
            "on_resumed": lambda session, replayed: session.send(b"resumed"),  # noqa: ARG005
        }
    )
    cut(network)
    mend(network)
    assert [network.server.recv(timeout=TIMEOUT) for _ in range(2)] == [b"dropped", b"resumed"]


@pytest.mark.parametrize("name", ["on_dropped", "on_resumed"])
def test_callbacks_may_reconnect(make_network: NetworkMaker, name: str) -> None:
    calls: list[object] = []

    def callback(session: Any, _: object) -> None:
        calls.append(session)
        if len(calls) < 3:
            session.reconnect()

    network = make_network(callbacks={name: callback})
    network.client.reconnect()
    check_goes_on(network)
    eventually(lambda: len(calls) == (1 if name == "on_dropped" else 3), TIMEOUT)
    check_goes_on(network)
    calls.clear()


def lose_connection(network: Network) -> None:
    """Cut the network until both ends have noticed."""
    network.relay.is_cut = True
    for end in network[:2]:
        eventually(lambda: not end.is_connected, TIMEOUT)  # noqa: B023 - called in this round
    mend(network)


@pytest.mark.parametrize("name", ["on_dropped", "on_resumed"])
def test_callbacks_may_close(make_network: NetworkMaker, name: str) -> None:
    network = make_network(callbacks={name: lambda session, _: void(session.close(1234, "bye"))})
    lose_connection(network)
    with pytest.raises(SessionClosed) as caught:
        network.server.recv(timeout=TIMEOUT)
    assert (caught.value.end.code, caught.value.end.text) == (1234, "bye")
    network.server.close()
    for end in (network.client, network.server):
        assert end.wait_closed(timeout=TIMEOUT).code == 1234


def void(_: object) -> None:
    """Drop a result: in asyncio it is an awaitable."""


@pytest.mark.parametrize("name", ["on_dropped", "on_resumed"])
def test_callbacks_may_abort(make_network: NetworkMaker, name: str) -> None:
    network = make_network(callbacks={name: lambda session, _: session.abort(2345, "enough")})
    lose_connection(network)
    end = network.client.wait_closed(timeout=TIMEOUT)
    assert (end.reason, end.code, end.text) == (CloseReason.ABORTED, 2345, "enough")


# ---- reading, and leaving blocks ----


def test_time_limits_during_an_outage_lose_nothing(make_network: NetworkMaker) -> None:
    network = make_network()
    network.server.send(b"0")
    assert network.client.recv(timeout=TIMEOUT) == b"0"
    cut(network)
    for number in range(1, 200):
        network.server.send(b"%d" % number)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            network.client.recv(timeout=0.01)
    mend(network)
    received: list[bytes] = []
    deadline = time.monotonic() + TIMEOUT
    while len(received) < 199 and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            received += [message.data for message in network.client.recv_many(timeout=0.001)]
    assert received == [b"%d" % number for number in range(1, 200)]


def test_what_had_arrived_can_be_read_during_an_outage(make_network: NetworkMaker) -> None:
    network = make_network()
    network.server.send_many([b"one", b"two", b"three"])
    assert network.client.recv(timeout=TIMEOUT) == b"one"
    network.server.drain(timeout=TIMEOUT)
    cut(network)
    assert network.client.recv(timeout=TIMEOUT) == b"two"
    mend(network)
    network.client.wait_resumed(timeout=TIMEOUT)
    assert network.client.recv(timeout=TIMEOUT) == b"three"
    check_goes_on(network)


def test_a_block_is_left_during_an_outage(make_network: NetworkMaker) -> None:
    """The goodbye waits for the next connection, and the block for the answer."""
    network = make_network(SessionConfig(close_timeout=TIMEOUT))
    with ThreadPoolExecutor(1) as pool:
        serving = pool.submit(list, network.server)
        with network.client:
            cut(network)
            threading.Timer(0.3, mend, [network]).start()
            network.client.send(b"last")
        assert serving.result(TIMEOUT) == [b"last"]
    network.server.close()
    for end in (network.client, network.server):
        assert end.wait_closed(timeout=TIMEOUT).ok


def test_a_block_is_left_by_an_exception_during_an_outage(make_network: NetworkMaker) -> None:
    network = make_network()
    with contextlib.suppress(LookupError), network.client:
        cut(network)
        network.client.send(b"last")
        raise LookupError("as planned")
    mend(network)
    assert network.server.recv(timeout=TIMEOUT) == b"last"
    with pytest.raises(SessionClosedError) as caught:
        network.server.recv(timeout=TIMEOUT)
    assert caught.value.end.reason is CloseReason.INTERNAL_ERROR
    network.server.close()
    assert network.client.wait_closed(timeout=TIMEOUT).reason is CloseReason.INTERNAL_ERROR


# ---- reconnect() ----


def test_only_a_client_reconnects(make_network: NetworkMaker) -> None:
    network = make_network()
    with pytest.raises(InvalidStateError, match="only the client"):
        network.server.reconnect()
    check_goes_on(network)
    assert network.client.drops == network.server.drops == 0


def test_without_a_window_none_reconnects(make_network: NetworkMaker) -> None:
    network = make_network(SessionConfig(resume_window=None))
    with pytest.raises(InvalidStateError, match="resume_window"):
        network.client.reconnect()
    check_goes_on(network)


def test_none_reconnects_after_the_end(make_network: NetworkMaker) -> None:
    network = make_network()
    network.client.abort()
    with pytest.raises(SessionClosed):
        network.client.reconnect()


# ---- servers, and the runtime ----


def test_a_listen_socket_is_closed_while_a_client_is_away(make_network: NetworkMaker) -> None:
    network = make_network(SessionConfig(resume_window=1.0))
    cut(network)
    network.listener.close()
    assert network.server.wait_closed(timeout=TIMEOUT).reason is CloseReason.SERVER_SHUTTING_DOWN
    with pytest.raises(SessionClosed):
        network.server.recv(timeout=TIMEOUT)
    mend(network)
    # The second one if the old connection, which the client has given up, still brings it.
    reasons = CloseReason.SESSION_EXPIRED, CloseReason.SERVER_SHUTTING_DOWN
    assert network.client.wait_closed(timeout=TIMEOUT).reason in reasons


def test_a_closing_server_takes_its_clients_back_but_no_new_ones(sessions: SessionApi) -> None:
    def handler(session: Session) -> None:
        with contextlib.suppress(SessionClosed):
            session.recv()

    settings = quick(SessionConfig(close_timeout=TIMEOUT))
    with (
        sessions.serve(handler, "127.0.0.1", 0, config=QUICK, session_config=settings) as server,
        Relay(server.address) as relay,
    ):
        client = sessions.connect("127.0.0.1", relay.port, config=QUICK, session_config=settings)
        (served,) = server.sessions
        cut(Network(client, served, relay, server))
        server.close(1234, "closing")
        with pytest.raises(SessionFailed) as caught:
            sessions.connect(*server.address, config=QUICK)
        assert caught.value.end.reason is CloseReason.SERVER_SHUTTING_DOWN
        mend(Network(client, served, relay, server))
        with pytest.raises(SessionClosed) as closed:
            client.recv(timeout=TIMEOUT)
        assert (closed.value.end.reason, closed.value.end.code) == (CloseReason.SERVER_SHUTTING_DOWN, 1234)
        client.close()
        for end in (client, served):
            assert end.wait_closed(timeout=TIMEOUT).code == 1234


@pytest.mark.parametrize("is_waiting", [False, True])
def test_the_runtime_is_stopped_during_an_outage(make_network: NetworkMaker, is_waiting: bool) -> None:
    """It is not started again by the attempts to connect."""
    network = make_network()
    cut(network)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(end.recv) for end in network[:2]] if is_waiting else []
        time.sleep(0.1)
        gns_py.stop(linger=0)
        for each in waiting:
            with pytest.raises(SessionClosedError):
                each.result(TIMEOUT)
    for end in network[:2]:
        assert end.wait_closed(timeout=TIMEOUT).reason in (CloseReason.ABORTED, CloseReason.SERVER_SHUTTING_DOWN)
        assert end.phase is Phase.ENDED
    time.sleep(0.5)
    assert not gns_py.is_running()


def test_many_sessions_come_back_together(sessions: SessionApi) -> None:
    count = 100
    rules = gns_py.session.AdmissionRules(max_pending_per_address=None)
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        listener = stack.enter_context(
            sessions.listen("127.0.0.1", 0, config=QUICK, session_config=quick(None), rules=rules, limits=None)
        )
        relay = stack.enter_context(Relay(listener.address))
        networks = []
        for _ in range(count):
            accepting = pool.submit(listener.accept, timeout=TIMEOUT)
            client = sessions.connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None))
            network = Network(client, accepting.result(), relay, listener)
            networks.append(network)
            for end in network[:2]:
                stack.callback(end.abort)
        for each in networks:
            each.client.send(b"before")
        relay.is_cut = True
        for each in networks:
            eventually(lambda: not each.client.is_connected, 3 * TIMEOUT)  # noqa: B023 - called in this round
            each.client.send(b"after")
        relay.is_cut = False
        for each in networks:
            assert [each.server.recv(timeout=3 * TIMEOUT) for _ in range(2)] == [b"before", b"after"]
            each.server.send(b"welcome back")
            assert each.client.recv(timeout=TIMEOUT) == b"welcome back"
