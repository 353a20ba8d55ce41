"""FinWait, Linger and Dead, the states after closing.

Each test is one sentence of the documentation of ESteamNetworkingConnectionState.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import pytest
from support import PATIENCE, Api, Peer, eventually, once
from support.states import (
    CHUNK,
    CLIENT,
    CLOSED_BY_PEER,
    CONNECTED,
    CONNECTING,
    LARGE,
    NONE,
    begin,
    established,
    rest_of,
    uses,
)

import gns_py
from gns_py import ClosedBy, Config, ConnectionClosed, ConnectionClosedOK, ConnectionState
from gns_py.sync import Connection, ListenSocket

# ---- FinWait ---------------------------------------------------------------------------------------------------------


def test_fin_wait_after_a_local_close_nothing_is_sent_or_received(pair: tuple[Connection, Connection]) -> None:
    """For the API the connection is closed at once: unread messages are gone, and events stop."""
    client, server = pair
    server.send(b"will not be read")
    eventually(lambda: server.send_queue().messages == 0, what="its arrival")
    client.close(1005, "enough")
    assert client.state is NONE
    for use in uses(client):
        with pytest.raises(ConnectionClosedOK, match=r"^closed by this end, 1005 APP_1005: enough$"):
            use()
    for receive in (client.recv, client.recv_message, client.recv_many):
        with pytest.raises(ConnectionClosedOK):
            receive(timeout=1.0)
    assert list(client) == []


def test_fin_wait_tells_a_peer_that_has_missed_the_close_why(
    pair: tuple[Connection, Connection], process_config: Callable[[Config], None]
) -> None:
    """The packet that says so is lost; the peer's next packet is answered with it, so the peer needs no timeout."""
    client, server = pair
    process_config(Config(fake_packet_loss_send=100))
    client.close(1006, "you have missed this")
    time.sleep(0.1)
    assert server.state is CONNECTED
    gns_py.reset_config()
    server.send(b"hello?")
    end = server.wait_closed(timeout=5.0)
    assert (end.closed_by, end.code, end.text) == (ClosedBy.PEER, 1006, "you have missed this")


# ---- Linger ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lingering(make_pair: Callable[..., tuple[Connection, Connection]]) -> tuple[Connection, Connection]:
    """Return a closed client that is still delivering for some 0.8 s, and its server."""
    client, server = make_pair()
    for number in range(LARGE):
        client.send(number.to_bytes(4, "big") + CHUNK)
    client.close(1007, "after all that")
    return client, server


def test_linger_for_the_api_the_connection_is_closed(lingering: tuple[Connection, Connection]) -> None:
    """No more data may be sent or received, though the network is still busy."""
    client, server = lingering
    assert client.state is NONE
    for use in uses(client):
        with pytest.raises(ConnectionClosedOK):
            use()
    with pytest.raises(ConnectionClosedOK):
        client.recv(timeout=0)
    assert server.state is CONNECTED


@once("the core notices and waits, whatever the API")
def test_linger_the_peer_gets_no_sign_of_the_close_until_the_data_is_flushed(
    lingering: tuple[Connection, Connection],
) -> None:
    """CONNECTED while data is under way; afterwards all of the data is there."""
    _, server = lingering
    assert server.state is CONNECTED
    received: list[bytes] = []
    while server.state is CONNECTED:
        assert server.end is None
        with contextlib.suppress(TimeoutError, ConnectionClosed):
            received.append(server.recv(timeout=0.05))
    assert server.state is CLOSED_BY_PEER
    if len(received) < LARGE:
        received += [message.data for message in server.recv_many(timeout=0)]
    assert [data[:4] for data in received] == [number.to_bytes(4, "big") for number in range(LARGE)]
    assert server.wait_closed(timeout=0).text == "after all that"


@once("the core notices and waits, whatever the API")
def test_linger_what_the_peer_sends_keeps_the_connection_alive_and_is_discarded(
    lingering: tuple[Connection, Connection],
) -> None:
    """The peer can still send, but its messages are not read."""
    client, server = lingering
    for number in range(LARGE // 2):
        server.recv(timeout=5.0)
        server.send(b"answer %d" % number)
    assert server.state is CONNECTED
    assert len(rest_of(server)) == LARGE - LARGE // 2
    assert server.wait_closed(timeout=5.0).code == 1007
    with pytest.raises(ConnectionClosedOK, match=r"^closed by this end, 1007 APP_1007: after all that$"):
        client.recv(timeout=0)


@once("the core notices and waits, whatever the API")
def test_linger_ends_at_the_latest_with_the_timeout(
    listener: ListenSocket, peer: Callable[..., Peer], fast: Config
) -> None:
    """A peer that is gone cannot hold a closed connection for ever: stop() waits for it, but not longer than that."""
    program = (
        CLIENT
        + """
    print("connected")
    sys.stdin.readline()
    """
    )
    client = peer(program, listener.address.port)
    server = listener.accept(timeout=10.0)
    server.set_config(fast | Config(timeout_connected=500))
    assert client.line() == "connected"
    client.kill()
    server.send(CHUNK)
    server.close()
    began = time.monotonic()
    gns_py.stop(linger=10.0)
    assert time.monotonic() - began < 5.0 * PATIENCE


# ---- Dead, FinWait, Linger: internal ---------------------------------------------------------------------------------


@once("the core answers, whatever the API")
def test_internal_states_never_appear(api: Api) -> None:
    """Whatever is asked while a connection goes through all of its states, the answer is a state of the API."""
    seen: set[ConnectionState] = set()
    listener = api.listen("127.0.0.1", 0, on_status_changed=lambda event: seen.add(event.new))
    client = begin(api, listener)
    server = listener.accept(timeout=5.0)
    established(client)
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            for end in (client, server):
                seen.update((end.state, end.info().state))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(LARGE // 2):
            client.send(CHUNK)
        client.close()
        assert len(rest_of(server)) == LARGE // 2
        server.close()
        time.sleep(0.1)
    finally:
        stop.set()
        watcher.join()
        listener.close()
    assert seen <= {NONE, CONNECTING, CONNECTED, CLOSED_BY_PEER}
    assert {NONE, CONNECTED, CLOSED_BY_PEER} <= seen


def test_internal_states_keep_their_numbers_and_say_that_they_are_internal() -> None:
    """GNS's own numbers, as they appear in its log."""
    internal = [state for state in ConnectionState if state < 0]
    assert {(state.name, int(state)) for state in internal} == {("FIN_WAIT", -1), ("LINGER", -2), ("DEAD", -3)}
    assert all(state.explanation.startswith("Internal") for state in internal)
