"""Sessions outlive their connections: over a network that is cut, mended and changed."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support import eventually
from support.outages import QUICK, TIMEOUT, Network, NetworkMaker, cut, mend, quick
from support.relay import Relay
from support.sessions import SessionApi

from gns_py import Config, ConfigValue
from gns_py.session import CloseReason, Phase
from gns_py.session.sync import Session, SessionClosed, SessionConfig, SessionFailed


def test_a_session_says_where_it_stands(make_network: NetworkMaker) -> None:
    told: list[tuple[str, object]] = []
    callbacks = {
        "on_dropped": lambda session, why: told.append(("dropped", why.reason)),  # noqa: ARG005
        "on_resumed": lambda session, replayed: told.append(("resumed", replayed)),  # noqa: ARG005
    }
    network = make_network(callbacks=callbacks)
    client, server = network.client, network.server
    assert (client.phase, client.is_connected, client.drops, client.time_dropped) == (Phase.ESTABLISHED, True, 0, 0.0)
    assert client.resume_window == server.resume_window == 30.0
    cut(network)
    assert client.is_established
    assert not client.is_connected
    assert client.end is None
    client.send(b"to be sent later")
    with pytest.raises(TimeoutError):
        client.wait_resumed(timeout=0.1)
    mend(network)
    client.wait_resumed(timeout=TIMEOUT)
    server.wait_resumed(timeout=TIMEOUT)
    assert server.recv(timeout=TIMEOUT) == b"to be sent later"
    for end in (client, server):
        assert (end.phase, end.is_connected, end.drops) == (Phase.ESTABLISHED, True, 1)
        assert end.time_dropped > 0
    eventually(lambda: told == [("dropped", CloseReason.CLIENT_UNRESPONSIVE), ("resumed", 0)], TIMEOUT)


def test_no_message_is_lost_or_doubled(make_network: NetworkMaker) -> None:
    """Both ends send on three lanes all the time, while the network is cut three times."""
    network = make_network()
    count = 3_000
    for end in (network.client, network.server):
        end.configure_lanes([0, 0, 1])
    received: dict[str, list[tuple[int, int]]] = {"client": [], "server": []}
    progress = threading.Semaphore(0)

    def send(end: Session) -> None:
        for number in range(count):
            end.send(number.to_bytes(4, "big"), lane=number % 3)
            if number % 100 == 99:
                progress.acquire(timeout=TIMEOUT)

    def receive(name: str, end: Session) -> None:
        while len(received[name]) < count:
            message = end.recv_message(timeout=3 * TIMEOUT)
            received[name].append((message.lane, int.from_bytes(message.data, "big")))

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(send, end) for end in (network.client, network.server)]
        work += [pool.submit(receive, name, getattr(network, name)) for name in received]
        for _ in range(3):
            progress.release(12)
            cut(network)
            progress.release(4)
            mend(network)
            network.client.wait_resumed(timeout=TIMEOUT)
        progress.release(100)
        for each in work:
            each.result(3 * TIMEOUT)
    for arrived in received.values():
        for lane in range(3):
            assert [number for on, number in arrived if on == lane] == list(range(lane, count, 3))
    assert network.client.drops >= 3


def test_settings_made_without_a_connection_hold_for_the_next_one(make_network: NetworkMaker) -> None:
    network = make_network()
    cut(network)
    for end in (network.client, network.server):
        end.connection.wait_closed(timeout=TIMEOUT)
        end.configure_lanes([0, 1])
        end.set_config(Config(nagle_time=1_234))
        end.send(b"on the new lane", lane=1)
    mend(network)
    for end in (network.client, network.server):
        assert end.recv(timeout=TIMEOUT) == b"on the new lane"
        assert end.get_config(ConfigValue.NAGLE_TIME) == 1_234
    network.client.abort()
    with pytest.raises(SessionClosed):
        network.client.configure_lanes([0, 1])


def test_the_client_has_another_address(make_network: NetworkMaker) -> None:
    network = make_network()
    before = network.server.remote_address
    network.relay.change_addresses()
    network.client.send(b"from elsewhere")
    assert network.server.recv(timeout=TIMEOUT) == b"from elsewhere"
    if network.server.drops:
        assert network.server.remote_address != before


def test_reconnecting_before_the_server_has_noticed(make_network: NetworkMaker) -> None:
    dropped: list[Any] = []
    network = make_network(on_dropped=lambda session, why: dropped.append(why))  # noqa: ARG005
    network.server.send(b"unread")
    network.client.send(b"before")
    network.client.reconnect()
    network.client.send(b"after")
    network.client.wait_resumed(timeout=TIMEOUT)
    assert [network.server.recv(timeout=TIMEOUT) for _ in range(2)] == [b"before", b"after"]
    assert network.client.recv(timeout=TIMEOUT) == b"unread"
    (why,) = dropped  # the server may hear of the end of the old connection first
    assert why.reason in (CloseReason.SESSION_TAKEN_OVER, CloseReason.CONNECTION_LOST)
    assert network.client.drops == network.server.drops == 1


def test_reconnecting_again_and_again(make_network: NetworkMaker) -> None:
    network = make_network()
    for number in range(20):
        network.client.send(number.to_bytes(1, "big"))
        network.client.reconnect()
    network.client.wait_resumed(timeout=TIMEOUT)
    assert [network.server.recv(timeout=TIMEOUT)[0] for _ in range(20)] == list(range(20))


def test_the_window_ends(make_network: NetworkMaker) -> None:
    network = make_network(SessionConfig(resume_window=0.5))
    cut(network)
    for end in (network.client, network.server):
        with pytest.raises(SessionClosed) as caught:
            end.recv(timeout=TIMEOUT)
        assert caught.value.end.reason is CloseReason.SESSION_EXPIRED
        assert "CLIENT_UNRESPONSIVE" in caught.value.end.text
        with pytest.raises(SessionClosed):
            end.send(b"too late")
        with pytest.raises(SessionClosed):
            end.wait_resumed(timeout=0.0)


@pytest.mark.parametrize("windows", [(None, 30.0), (30.0, None), (0.0, 0.0)])
def test_without_a_window_the_session_ends(make_network: NetworkMaker, windows: tuple[float | None, ...]) -> None:
    client, server = (SessionConfig(resume_window=window) for window in windows)
    network = make_network(client, server=server)
    network.relay.is_cut = True
    for end in (network.client, network.server):
        assert end.resume_window == 0.0
        assert end.wait_closed(timeout=TIMEOUT).reason is CloseReason.CLIENT_UNRESPONSIVE


def test_a_goodbye_while_the_network_is_cut(make_network: NetworkMaker) -> None:
    network = make_network(SessionConfig(close_timeout=10.0))
    cut(network)
    network.client.send(b"the last words")
    with ThreadPoolExecutor(2) as pool:
        closing = pool.submit(network.client.close, 1234, "bye", b"data")
        mend(network)
        assert network.server.recv(timeout=TIMEOUT) == b"the last words"
        with pytest.raises(SessionClosed):
            network.server.recv(timeout=TIMEOUT)
        assert network.server.close(data=b"answer") == b"data"
        assert closing.result(TIMEOUT) == b"answer"
    for end in (network.client, network.server):
        ended = end.wait_closed(timeout=TIMEOUT)
        assert (ended.ok, ended.code, ended.text) == (True, 1234, "bye")


def test_closing_in_vain_while_the_network_is_cut(make_network: NetworkMaker) -> None:
    network = make_network(SessionConfig(close_timeout=0.5, resume_window=20.0))
    cut(network)
    network.client.send(b"never")
    assert network.client.close() == b""
    end = network.client.wait_closed(timeout=TIMEOUT)
    assert (end.reason, end.undelivered, end.ok) == (CloseReason.ABORTED, 1, False)
    mend(network)
    assert network.server.phase is Phase.DROPPED


def test_unreliable_messages_while_the_network_is_cut(make_network: NetworkMaker) -> None:
    network = make_network()
    cut(network)
    network.client.send(b"dropped", reliable=False)
    for number in (b"1", b"2", b"3"):
        network.client.send(number, reliable=False, key=b"position")
    network.client.send(b"reliable")
    mend(network)
    assert {network.server.recv(timeout=TIMEOUT) for _ in range(2)} == {b"reliable", b"3"}
    assert network.client.dropped[0] == 1


@pytest.mark.parametrize("is_dropped", [False, True])
def test_a_key_has_one_session(sessions: SessionApi, is_dropped: bool) -> None:
    ended: list[Any] = []

    def handler(session: Session) -> None:
        with contextlib.suppress(SessionClosed):
            session.recv()
        ended.append(session.wait_closed().reason)

    with (
        sessions.serve(
            handler,
            "127.0.0.1",
            0,
            on_request=lambda request: request.accept(key="player:42"),
            config=QUICK,
            session_config=quick(SessionConfig(close_timeout=1.0)),
        ) as server,
        Relay(server.address) as relay,
    ):
        first = sessions.connect("127.0.0.1", relay.port, config=QUICK, session_config=quick(None))
        if is_dropped:
            cut(Network(first, server.sessions[0], relay, server))
        second = sessions.connect("127.0.0.1", server.address.port, config=QUICK)
        eventually(lambda: ended == [CloseReason.SESSION_TAKEN_OVER], TIMEOUT)
        relay.is_cut = False
        assert first.wait_closed(timeout=TIMEOUT).reason is CloseReason.SESSION_TAKEN_OVER
        assert second.is_connected
        second.close()


def test_a_full_server_takes_its_clients_back(sessions: SessionApi, make_network: NetworkMaker) -> None:
    from gns_py.session import AdmissionRules

    network = make_network(rules=AdmissionRules(max_sessions=1))
    network.client.reconnect()
    network.client.wait_resumed(timeout=TIMEOUT)
    with ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(network.listener.accept, timeout=1.0)
        with pytest.raises(SessionFailed) as caught:
            sessions.connect("127.0.0.1", network.listener.address.port, config=QUICK)
        assert caught.value.end.reason is CloseReason.RATE_LIMITED
        with pytest.raises(TimeoutError):
            accepting.result()
    network.client.send(b"still here")
    assert network.server.recv(timeout=TIMEOUT) == b"still here"
    assert network.listener.counters.resumed == 1


def test_closing_the_connection_under_a_session_ends_it(make_network: NetworkMaker) -> None:
    """Messages that had arrived and were not read are gone: the session must not go on as if they were not."""
    network = make_network()
    network.client.send(b"unread")
    network.server.connection.close(CloseReason.CONNECTION_LOST.native_code, linger=False)
    end = network.server.wait_closed(timeout=TIMEOUT)
    assert (end.reason, end.ok) == (CloseReason.CONNECTION_LOST, False)
    assert network.client.wait_closed(timeout=TIMEOUT).reason is CloseReason.CONNECTION_LOST
