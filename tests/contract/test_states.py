"""What each state of a connection promises, sentence by sentence: ESteamNetworkingConnectionState's documentation.

Grouped by state, in its order; then what holds for all of them.
"""

from __future__ import annotations

import contextlib
import copy
import pickle
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from support import PATIENCE, Api, Peer, eventually, next_request, once

import gns_py
from gns_py import (
    ClosedBy,
    Config,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectionState,
    ConnectTimeout,
    EndReason,
    EndReasonRange,
    MessageDropped,
    MessageReceived,
    NotRunningError,
    StatusChanged,
)
from gns_py.sync import Connection, ListenSocket

NONE = ConnectionState.NONE
CONNECTING = ConnectionState.CONNECTING
CONNECTED = ConnectionState.CONNECTED
CLOSED_BY_PEER = ConnectionState.CLOSED_BY_PEER
PROBLEM = ConnectionState.PROBLEM_DETECTED_LOCALLY

# At GNS's default rate, 256 KiB/s, about as much as goes out in 0.8 s.
LARGE = 50
CHUNK = bytes(4096)

CLIENT = """
    import sys, gns_py.sync as gns
    connection = gns.connect("127.0.0.1", int(sys.argv[1]), timeout=5)
"""


def begin(api: Api, listener: ListenSocket, timeout: float = 5.0) -> Connection:
    """A client that nobody has accepted yet."""
    return api.connect("127.0.0.1", listener.address.port, timeout=timeout, wait=False)


def established(connection: Connection) -> None:
    """Waits until it is."""
    eventually(lambda: connection.state is CONNECTED)


def rest_of(connection: Connection) -> list[bytes]:
    """What can still be read of a connection, to its end."""
    messages = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(connection.recv(timeout=10.0))
    return messages


def uses(connection: Connection) -> list[Callable[[], object]]:
    """What can be done with a connection, other than reading it, asking how it is, and closing it."""
    return [
        lambda: connection.send(b"x"),
        lambda: connection.send(b"x", reliable=False),
        lambda: connection.send(b"x", no_delay=True),
        lambda: connection.send_many([b"x", b"y"]),
        lambda: connection.flush(),
        lambda: connection.drain(timeout=1.0),
        lambda: connection.configure_lanes([0, 1]),
        lambda: connection.set_config(Config(nagle_time=0)),
        lambda: setattr(connection, "name", "x"),
        lambda: setattr(connection, "user_data", 1),
    ]


# ---- None ------------------------------------------------------------------------------------------------------------


def test_none_is_what_a_connection_says_that_has_been_closed(pair: tuple[Connection, Connection]) -> None:
    """NONE stands for an error: that connection is closed already."""
    client, _ = pair
    client.close()
    assert client.state is NONE
    assert client.info().state is NONE


def test_none_is_what_a_connection_says_that_does_not_exist(pair: tuple[Connection, Connection]) -> None:
    """... or does not exist: whatever there was, went with the runtime."""
    gns_py.stop(linger=0)
    assert [end.state for end in pair] == [NONE, NONE]


# ---- Connecting ------------------------------------------------------------------------------------------------------


def test_connecting_until_the_server_wants_to_talk(api: Api, listener: ListenSocket) -> None:
    """CONNECTING: they find out whether they can talk, and whether they want to: that is, whether one accepts."""
    with begin(api, listener) as client:
        assert client.state is CONNECTING
        request = next_request(listener)
        assert client.state is CONNECTING
        assert request.connection.state is CONNECTING
        request.accept()
        established(client)
        assert client.state is CONNECTED


def test_connecting_the_client_might_not_know_who_the_server_is(api: Api, listener: ListenSocket) -> None:
    """While it is connecting, the end that began cannot tell the other's identity."""
    with begin(api, listener) as client:
        assert client.info().identity == "invalid"
        next_request(listener).accept()
        established(client)
        assert client.info().identity != "invalid"


def test_connecting_does_not_tell_whether_network_or_application_is_waited_for(
    api: Api, listener: ListenSocket
) -> None:
    """One client waits for the network, another for accept(): they look the same."""
    with (
        begin(api, listener) as waits_for_accept,
        api.connect("127.0.0.1", 9, wait=False, timeout=5.0) as waits_for_nobody,
    ):
        next_request(listener)
        infos = [each.info() for each in (waits_for_accept, waits_for_nobody)]
        assert [(info.state, info.identity, info.flags) for info in infos] == [
            (CONNECTING, "invalid", infos[0].flags)
        ] * 2


def test_connecting_at_the_server_the_client_has_proved_who_it_is_and_can_be_accepted(
    api: Api, listener: ListenSocket
) -> None:
    """An inbound connection is CONNECTING once the handshake is done: the peer is known, accept() is possible."""
    with begin(api, listener) as client:
        request = next_request(listener)
        assert request.connection.state is CONNECTING
        assert request.connection.remote_address is not None
        assert request.connection.remote_address.host == "127.0.0.1"
        assert str(request.connection.remote_identity) == f"ip:{request.connection.remote_address}"
        server = request.accept()
        assert server is request.connection
        assert server.state is CONNECTED  # at once, without another event
        established(client)


def test_connecting_unreliable_messages_sent_now_may_be_dropped(api: Api, listener: ListenSocket) -> None:
    """GNS promises nothing for them; 1.6.0 keeps those of a UDP connection until it is established: they may arrive."""
    with begin(api, listener) as client:
        sent = [b"%d" % number for number in range(20)]
        for data in sent:
            client.send(data, reliable=False)
        client.send(b"last")
        server = listener.accept(timeout=5.0)
        established(client)
        received: list[bytes] = []
        while not received or received[-1] != b"last":
            received.append(server.recv(timeout=5.0))
        unreliable = received[:-1]
        assert len(set(unreliable)) == len(unreliable)
        assert set(unreliable) <= set(sent)


def test_connecting_receiving_fails_for_sure_at_either_end(api: Api, listener: ListenSocket) -> None:
    """Nothing can be received before accept(), though the peer has sent already."""
    with begin(api, listener) as client:
        client.send(b"too early")
        server = next_request(listener).connection
        server.send(b"too early")
        for end in (client, server):
            with pytest.raises(TimeoutError):
                end.recv(timeout=0.1)


def test_connecting_messages_are_queued_and_delivered_once_connected(api: Api, listener: ListenSocket) -> None:
    """Sending is possible before: it waits."""
    with begin(api, listener) as client:
        assert [client.send(b"from client %d" % number) for number in (1, 2)] == [1, 2]
        assert client.send_queue().messages == 2
        request = next_request(listener)
        request.connection.send(b"from server")
        server = request.accept()
        assert client.recv(timeout=5.0) == b"from server"
        assert [server.recv(timeout=5.0) for _ in range(2)] == [b"from client 1", b"from client 2"]


def test_connecting_a_send_mode_that_does_not_allow_to_queue_is_refused(api: Api, listener: ListenSocket) -> None:
    """no_delay means now or never, and now is too early."""
    with begin(api, listener) as client:
        server = next_request(listener).connection
        for end in (client, server):
            with pytest.raises(MessageDropped, match=r"^ignored: the connection cannot send right now$"):
                end.send(b"now", no_delay=True)
            assert end.send_queue().messages == 0


@pytest.mark.parametrize("linger", [True, False])
def test_connecting_closing_before_it_is_established_discards_what_is_queued(
    api: Api, listener: ListenSocket, linger: bool
) -> None:
    """No attempt is made to deliver it, lingering or not."""
    client = begin(api, listener)
    client.send(b"never delivered")
    request = next_request(listener)
    client.close(1002, "changed my mind", linger=linger)
    server = request.connection
    end = server.wait_closed(timeout=5.0)
    assert (end.closed_by, end.code, end.text) == (ClosedBy.PEER, 1002, "changed my mind")
    with pytest.raises(ConnectionClosedOK):
        server.recv(timeout=1.0)
    with pytest.raises(ConnectionClosedOK):
        request.accept()
    server.close()


def test_connecting_a_server_that_refuses_discards_what_it_had_queued(api: Api, listener: ListenSocket) -> None:
    """The same at the other end."""
    with begin(api, listener) as client:
        request = next_request(listener)
        request.connection.send(b"never delivered")
        request.reject()
        assert client.wait_closed(timeout=5.0).closed_by is ClosedBy.PEER
        with pytest.raises(ConnectionClosedOK):
            client.recv(timeout=1.0)


@once("connect() that waits, asyncio's only one, closes what has failed")
def test_connecting_to_nobody_ends_in_problem_detected_locally_by_timeout(api: Api) -> None:
    """Nobody answers: only the timeout tells."""
    began = time.monotonic()
    with api.connect("127.0.0.1", 9, timeout=0.3, wait=False) as client:
        end = client.wait_closed(timeout=5.0)
        assert client.state is PROBLEM
        assert (end.closed_by, end.code, end.range) == (ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT, EndReasonRange.MISC)
        assert end.text == "Timed out attempting to connect"
        assert end.can_retry
    assert 0.3 <= time.monotonic() - began < 3.0 * PATIENCE
    with pytest.raises(ConnectTimeout) as failed:
        api.connect("127.0.0.1", 9, timeout=0.1)
    assert failed.value.end == end


def test_connecting_to_a_server_that_neither_accepts_nor_refuses_ends_by_timeout(
    api: Api, listener: ListenSocket
) -> None:
    """The client gives up, and the server's end with it."""
    with begin(api, listener, timeout=0.3) as client:
        server = next_request(listener).connection
        end = client.wait_closed(timeout=5.0)
        assert (end.closed_by, end.code) == (ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT)
        assert server.wait_closed(timeout=5.0).code == EndReason.MISC_TIMEOUT
        server.close()


@once("the core notices and waits, whatever the API")
@pytest.mark.native_errors("Application didn't accept or close incoming connection")
def test_connecting_at_a_server_that_neither_accepts_nor_refuses_times_out_there_too(
    api: Api,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The server's own timeout_initial ends the request, and the client is told."""
    with api.listen("127.0.0.1", 0, config=Config(timeout_initial=300)) as listener, begin(api, listener) as client:
        server = next_request(listener).connection
        end = server.wait_closed(timeout=5.0)
        assert (end.closed_by, end.code) == (ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT)
        assert end.text == "App didn't accept or close incoming connection in time."
        assert server.state is PROBLEM
        assert client.wait_closed(timeout=5.0).code == EndReason.MISC_TIMEOUT
    gns_py.dispatch_logs()
    assert "bug in application code" in caplog.text
    assert "please report it" not in caplog.text


@once("connect() that waits, asyncio's only one, closes what has failed")
def test_connecting_being_refused_is_closed_by_peer_with_code_and_text(api: Api, listener: ListenSocket) -> None:
    """What the server says when it refuses reaches the client's application."""
    with begin(api, listener) as client:
        next_request(listener).reject(1500, "the server is full: sché 日本")
        end = client.wait_closed(timeout=5.0)
        assert (end.closed_by, end.code, end.text) == (ClosedBy.PEER, 1500, "the server is full: sché 日本")
        assert client.state is CLOSED_BY_PEER


# ---- FindingRoute ----------------------------------------------------------------------------------------------------


def test_finding_route_is_left_out_by_connections_over_udp(api: Api, listener: ListenSocket) -> None:
    """Only connections with a back channel (P2P) look for a route: these go from CONNECTING to CONNECTED."""
    changes: list[tuple[ConnectionState, ConnectionState]] = []
    accepting = threading.Thread(target=lambda: listener.accept(timeout=5.0))
    accepting.start()
    with api.connect(*listener.address, on_status_changed=lambda event: changes.append((event.old, event.new))):
        accepting.join()
    assert changes == [(NONE, CONNECTING), (CONNECTING, CONNECTED), (CONNECTED, NONE)]


# ---- Connected -------------------------------------------------------------------------------------------------------


def test_connected_both_have_heard_from_each_other_and_know_who_they_are(api: Api) -> None:
    """CONNECTED: messages go both ways, and each end has an identity of the other."""
    gns_py.start("str:both ends are this process")
    with api.listen("127.0.0.1", 0) as named, begin(api, named) as client:
        server = next_request(named).accept()
        established(client)
        for end in (client, server):
            assert end.state is CONNECTED
            assert str(end.remote_identity) == "str:both ends are this process"
        client.send(b"to server")
        server.send(b"to client")
        assert (client.recv(timeout=5.0), server.recv(timeout=5.0)) == (b"to client", b"to server")


def test_connected_closing_flushes_reliable_data_that_is_not_acknowledged(
    make_pair: Callable[..., tuple[Connection, Connection]],
) -> None:
    """close() with linger delivers what was sent, in order, to the last byte, and then says goodbye."""
    client, server = make_pair()
    for number in range(LARGE):
        client.send(number.to_bytes(4, "big") + CHUNK)
    client.close(1003, "that was all")
    assert client.state is NONE
    received = [server.recv(timeout=5.0) for _ in range(LARGE)]
    assert received == [number.to_bytes(4, "big") + CHUNK for number in range(LARGE)]
    with pytest.raises(ConnectionClosedOK) as closed:
        server.recv(timeout=5.0)
    assert (closed.value.code, closed.value.text) == (1003, "that was all")


def test_connected_closing_without_linger_discards_what_is_not_sent(
    make_pair: Callable[..., tuple[Connection, Connection]],
) -> None:
    """close() without linger tells the peer at once."""
    client, server = make_pair()
    for _ in range(2 * LARGE):  # for 1.6 s
        client.send(CHUNK)
    began = time.monotonic()
    client.close(1003, "in a hurry", linger=False)
    assert server.wait_closed(timeout=5.0).text == "in a hurry"
    assert time.monotonic() - began < 1.2 * PATIENCE
    assert len(rest_of(server)) < 2 * LARGE


@once("the core notices and waits, whatever the API")
def test_connected_flushing_happens_within_the_process_not_in_the_system(
    listener: ListenSocket, peer: Callable[..., Peer]
) -> None:
    """Unlike TCP's, a closing process that dies takes with it what it had not sent."""
    program = (
        CLIENT
        + f"""
    for number in range({LARGE}):
        connection.send(bytes(4096))
    connection.close()
    print("closed")
    sys.stdin.readline()
    """
    )
    client = peer(program, listener.address.port)
    server = listener.accept(timeout=10.0)
    server.set_config(Config(timeout_connected=300))
    assert client.line() == "closed"
    server.recv(timeout=5.0)
    client.kill()
    server.send(b"are you still there?")
    assert server.wait_closed(timeout=10.0).code == EndReason.MISC_TIMEOUT
    assert len(rest_of(server)) < LARGE - 1
    server.close()


# ---- ClosedByPeer ----------------------------------------------------------------------------------------------------


def test_closed_by_peer_is_closed_there_but_not_here(pair: tuple[Connection, Connection]) -> None:
    """The connection still exists for the API: it can be asked how it was and why it ended."""
    client, server = pair
    client.name, server.user_data = "the client", 42
    client.close(1004, "bye")
    end = server.wait_closed(timeout=5.0)
    assert (end.closed_by, end.code, end.text, end.ok) == (ClosedBy.PEER, 1004, "bye", True)
    assert server.state is CLOSED_BY_PEER
    info = server.info()
    assert (info.state, info.end_reason, info.end_text, info.user_data) == (CLOSED_BY_PEER, 1004, "bye", 42)
    assert server.stats().state is CLOSED_BY_PEER
    assert len(server.lane_stats()) == 1
    assert server.send_queue().bytes == 0
    server.close()


def test_closed_by_peer_must_be_closed_to_free_its_resources(pair: tuple[Connection, Connection]) -> None:
    """Only close() ends the handle."""
    client, server = pair
    client.close()
    server.wait_closed(timeout=5.0)
    assert server.stats().state is CLOSED_BY_PEER
    server.close()
    assert server.state is NONE
    with pytest.raises(ConnectionClosedOK):
        server.stats()


def test_closed_by_peer_messages_that_had_arrived_can_be_retrieved(pair: tuple[Connection, Connection]) -> None:
    """They come first, then the end."""
    client, server = pair
    for number in range(3):
        client.send(b"%d" % number)
    client.close(1000, "done")
    server.wait_closed(timeout=5.0)
    assert server.state is CLOSED_BY_PEER
    assert [server.recv(timeout=0), *(each.data for each in server.recv_many(timeout=0))] == [b"0", b"1", b"2"]
    with pytest.raises(ConnectionClosedOK, match=r"^closed by the peer, 1000 APP_GENERIC: done$"):
        server.recv(timeout=0)


def test_closed_by_peer_nothing_else_can_be_done_with_it(pair: tuple[Connection, Connection]) -> None:
    """Sending and setting fail, each with the end that explains it."""
    client, server = pair
    client.close(2500, "crashed")
    server.wait_closed(timeout=5.0)
    for use in uses(server):
        with pytest.raises(ConnectionClosedError, match=r"^closed by the peer, 2500 APP_EXCEPTION_2500: crashed$"):
            use()
    server.close()


# ---- ProblemDetectedLocally ------------------------------------------------------------------------------------------


@pytest.fixture
def vanished(listener: ListenSocket, peer: Callable[..., Peer]) -> Connection:
    """The server's end, with two messages to read, of a connection whose client was killed."""
    program = (
        CLIENT
        + """
    connection.send_many([b"one", b"two"])
    connection.recv()
    print("sent")
    sys.stdin.readline()
    """
    )
    client = peer(program, listener.address.port)
    server = listener.accept(timeout=10.0)
    server.set_config(Config(timeout_connected=300))
    server.send(b"go on")
    assert client.line() == "sent"
    server.send(b"?")
    eventually(lambda: server.send_queue().messages == 0, what="both messages' arrival")
    client.kill()
    server.send(b"does anybody hear this?")
    return server


@once("the core notices and waits, whatever the API")
def test_problem_detected_locally_a_peer_that_vanishes_is_noticed_by_timeout(vanished: Connection) -> None:
    """A killed process says nothing: the silence is what tells."""
    end = vanished.wait_closed(timeout=10.0)
    assert vanished.state is PROBLEM
    assert (end.closed_by, end.code, end.text) == (ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT, "Connection dropped")
    assert not end.ok
    assert end.can_retry
    vanished.close()


@once("the core notices and waits, whatever the API")
def test_problem_detected_locally_the_connection_still_exists_until_it_is_closed(vanished: Connection) -> None:
    """It can be asked, and close() ends the handle."""
    vanished.wait_closed(timeout=10.0)
    assert vanished.info().state is PROBLEM
    assert vanished.stats().state is PROBLEM
    assert vanished.send_queue().max_bytes > 0
    vanished.close()
    assert vanished.state is NONE
    with pytest.raises(ConnectionClosedError, match=r"^ended by a problem, 5003 MISC_TIMEOUT: Connection dropped$"):
        vanished.stats()


@once("the core notices and waits, whatever the API")
def test_problem_detected_locally_sending_fails(vanished: Connection) -> None:
    """As after ClosedByPeer, with the problem as the reason."""
    vanished.wait_closed(timeout=10.0)
    for use in uses(vanished):
        with pytest.raises(ConnectionClosedError, match=r"^ended by a problem, 5003 MISC_TIMEOUT: Connection dropped$"):
            use()
    vanished.close()


@once("the core notices and waits, whatever the API; test_connection.py reads after other problems")
def test_problem_detected_locally_received_messages_remain_available(vanished: Connection) -> None:
    """They come first, then the end."""
    vanished.wait_closed(timeout=10.0)
    assert [message.data for message in vanished.recv_many(timeout=0)] == [b"one", b"two"]
    with pytest.raises(ConnectionClosedError):
        vanished.recv(timeout=0)
    vanished.close()


def test_problem_detected_locally_by_the_library_itself(
    make_pair: Callable[..., tuple[Connection, Connection]],
) -> None:
    """A message larger than this end takes is a problem too; the peer is told what it was."""
    client, server = make_pair(None, Config(recv_max_message_size=1000))
    client.send(bytes(1001))
    end = server.wait_closed(timeout=5.0)
    assert (end.closed_by, end.code) == (ClosedBy.PROBLEM, EndReason.MISC_INTERNAL_ERROR)
    assert end.text
    assert not end.can_retry
    told = client.wait_closed(timeout=5.0)
    assert (told.closed_by, told.code) == (ClosedBy.PEER, end.code)


# ---- FinWait ---------------------------------------------------------------------------------------------------------


def test_fin_wait_after_a_local_close_nothing_is_sent_or_received(pair: tuple[Connection, Connection]) -> None:
    """For the API the connection is closed at once: what had arrived is gone, and events stop."""
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
    """The packet that says so is lost; the peer's next packet is answered with it, so that it needs no timeout."""
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
    """A closed client that is still delivering for some 0.8 s, and its server."""
    client, server = make_pair()
    for number in range(LARGE):
        client.send(number.to_bytes(4, "big") + CHUNK)
    client.close(1007, "after all that")
    return client, server


def test_linger_for_the_api_the_connection_is_closed(lingering: tuple[Connection, Connection]) -> None:
    """No more data may be sent or received, though the network is still at it."""
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
    """CONNECTED while data is under way: as soon as it is not, all of the data is there."""
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
    """The peer's sending works as before, but nobody can read it."""
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
    """GNS's own numbers, for whoever meets them in its log."""
    internal = [state for state in ConnectionState if state < 0]
    assert {(state.name, int(state)) for state in internal} == {("FIN_WAIT", -1), ("LINGER", -2), ("DEAD", -3)}
    assert all(state.explanation.startswith("Internal") for state in internal)


# ---- the enum --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [6, 77, -4, 0x7FFFFFFF])
def test_a_state_of_a_number_that_is_not_known_survives(number: int) -> None:
    """More states may come: one without a name is still a state, and equal to its number."""
    state = ConnectionState(number)
    assert isinstance(state, ConnectionState)
    assert state == number
    assert hash(state) == hash(number)
    assert state.name in repr(state)
    assert pickle.loads(pickle.dumps(state)) == copy.copy(state) == state
    assert state not in list(ConnectionState)


def test_matching_states_needs_an_arm_for_those_to_come() -> None:
    """The enum is not exhaustive: a match statement takes unknown states with its wildcard."""

    def name(state: ConnectionState) -> str:
        match state:
            case ConnectionState.CONNECTED:
                return "connected"
            case _:
                return "something else"

    assert [name(CONNECTED), name(ConnectionState(77))] == ["connected", "something else"]


@pytest.mark.parametrize("reason", list(EndReason), ids=lambda reason: str(reason.name))
def test_each_end_reason_has_a_range_and_a_sentence(reason: EndReason) -> None:
    """Where the cause lies, in words."""
    assert reason.explanation.endswith(".")
    assert len(reason.explanation.split()) > 3
    bounds = reason.range.minimum, reason.range.maximum
    if reason is EndReason.INVALID:
        assert reason.range is EndReasonRange.UNKNOWN
    else:
        assert bounds[0] is not None
        assert bounds[1] is not None
        assert bounds[0] <= reason <= bounds[1]
    assert isinstance(reason.can_retry, bool)


# ---- exactly one end -------------------------------------------------------------------------------------------------


class Ends:
    """A client and a server's connection, with callbacks and, once accepted, polled; every event of both is kept."""

    def __init__(self, api: Api, server_config: Config | None = None) -> None:
        self.told: dict[str, list[StatusChanged[Connection]]] = {"client": [], "server": []}
        self.listener = api.listen(
            "127.0.0.1", 0, config=server_config, on_status_changed=lambda event: self.told["server"].append(event)
        )
        self.client = api.connect(
            "127.0.0.1",
            self.listener.address.port,
            timeout=5.0,
            wait=False,
            on_status_changed=lambda event: self.told["client"].append(event),
        )
        self.group = api.PollGroup()
        self.polled: dict[str, list[StatusChanged[Connection]]] = {"client": [], "server": []}
        self.request = next_request(self.listener)
        self.server = self.request.connection

    def accept(self) -> None:
        self.request.accept()
        established(self.client)
        for end in (self.client, self.server):
            self.group.add(end)

    def read(self, timeout: float = 0.0) -> None:
        with contextlib.suppress(NotRunningError):  # after stop(), once it has told all
            for event in self.group.poll(timeout):
                if isinstance(event, StatusChanged):
                    self.polled["client" if event.connection is self.client else "server"].append(event)

    def close(self) -> None:
        self.client.close()
        self.server.close()
        self.listener.close()


def close_here(ends: Ends) -> None:
    ends.client.close(1100, "client")


def close_there(ends: Ends) -> None:
    ends.server.close(1100, "server")


def close_both(ends: Ends) -> None:
    ends.client.close(1100, "client")
    ends.server.close(1101, "server")


def close_in_a_hurry(ends: Ends) -> None:
    ends.client.send(bytes(100_000))
    ends.client.close(linger=False)


def close_lingering(ends: Ends) -> None:
    ends.client.send(bytes(100_000))
    ends.client.close()


def close_from_many_threads(ends: Ends) -> None:
    barrier = threading.Barrier(8)

    def close(connection: Connection) -> None:
        barrier.wait()
        connection.close()

    threads = [threading.Thread(target=close, args=(each,)) for each in [ends.client, ends.server] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def close_after_the_peer_did(ends: Ends) -> None:
    ends.server.close()
    eventually(lambda: ends.client.state is CLOSED_BY_PEER)
    ends.client.close(1102, "too late to say so")


def close_the_listen_socket(ends: Ends) -> None:
    ends.listener.close()


def stop_the_runtime(_ends: Ends) -> None:
    gns_py.stop(linger=0)


def overflow_the_queue(ends: Ends) -> None:
    ends.client.send_many([b"x"] * 10)


def send_too_much(ends: Ends) -> None:
    ends.client.send(bytes(5000))


def lose_the_network(ends: Ends) -> None:
    for end in (ends.client, ends.server):
        end.set_config(Config(timeout_connected=300))
    gns_py.set_config(Config(fake_packet_loss_recv=100))
    ends.client.send(b"?")
    ends.server.send(b"?")


@pytest.mark.parametrize(
    ("cause", "client_end", "server_end"),
    [
        (close_here, (NONE, 1100), (CLOSED_BY_PEER, 1100)),
        (close_there, (CLOSED_BY_PEER, 1100), (NONE, 1100)),
        (close_both, (None, None), (None, None)),
        (close_in_a_hurry, (NONE, 1000), (CLOSED_BY_PEER, 1000)),
        (close_lingering, (NONE, 1000), (CLOSED_BY_PEER, 1000)),
        (close_from_many_threads, (None, 1000), (None, 1000)),
        (close_after_the_peer_did, (CLOSED_BY_PEER, 1000), (NONE, 1000)),
        (close_the_listen_socket, (CLOSED_BY_PEER, 1001), (NONE, 1001)),
        (stop_the_runtime, (NONE, 2999), (NONE, 2999)),
        (overflow_the_queue, (CLOSED_BY_PEER, 2003), (PROBLEM, 2003)),
        (send_too_much, (CLOSED_BY_PEER, 5002), (PROBLEM, 5002)),
        (lose_the_network, (PROBLEM, 5003), (PROBLEM, 5003)),
    ],
)
def test_every_connection_ends_with_exactly_one_terminal_event(
    api: Api,
    cause: Callable[[Ends], None],
    client_end: tuple[ConnectionState | None, int | None],
    server_end: tuple[ConnectionState | None, int | None],
) -> None:
    """However it ended: one event with an end, at both ends, nothing after it, and poll() and callbacks agree."""
    largest = 1000 if cause is send_too_much else 200_000
    ends = Ends(api, Config(recv_queue_messages=5, recv_max_message_size=largest))
    ends.accept()
    cause(ends)
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        if all(any(event.end for event in told) for told in ends.told.values()):
            break
        ends.read(0.05)
    for _ in range(3):  # nothing comes after it
        ends.read(0.05)
    gns_py.reset_config()
    ends.close()
    ends.read()
    for which, connection, (state, code) in (
        ("client", ends.client, client_end),
        ("server", ends.server, server_end),
    ):
        told = ends.told[which]
        assert [event.new for event in told[:2]] == [CONNECTING, CONNECTED], which
        assert len(told) == 3, which
        last = told[-1]
        assert last.old is CONNECTED
        assert state is None or last.new is state
        assert last.new in (NONE, CLOSED_BY_PEER, PROBLEM)
        assert last.end is not None
        assert last.end.code == code or code is None
        assert connection.end == last.end
        polled = ends.polled[which]
        assert polled, which
        assert polled == told[-len(polled) :], which  # the beginning may have been read before


def test_a_refused_connection_ends_once(api: Api) -> None:
    """At both ends, without having been connected."""
    ends = Ends(api)
    ends.request.reject(1200, "no")
    ends.client.wait_closed(timeout=5.0)
    ends.close()
    assert [(event.new, event.end and event.end.code) for event in ends.told["client"]] == [
        (CONNECTING, None),
        (CLOSED_BY_PEER, 1200),
    ]
    assert [(event.new, event.end and event.end.code) for event in ends.told["server"]] == [
        (CONNECTING, None),
        (NONE, 1200),
    ]


def test_a_connection_that_never_was_ends_once(api: Api) -> None:
    """Nobody there: CONNECTING, then the problem, then nothing, not even when it is closed."""
    told: list[StatusChanged[Connection]] = []
    client = api.connect("127.0.0.1", 9, timeout=0.2, wait=False, on_status_changed=told.append)
    client.wait_closed(timeout=5.0)
    client.close()
    assert [(event.old, event.new) for event in told] == [(NONE, CONNECTING), (CONNECTING, PROBLEM)]


@once("the core notices and waits, whatever the API")
def test_a_killed_peer_ends_a_connection_once(api: Api, peer: Callable[..., Peer]) -> None:
    """The killed one cannot tell; the other end gets one event."""
    changes: list[tuple[ConnectionState, ConnectionState]] = []
    with api.listen("127.0.0.1", 0, on_status_changed=lambda event: changes.append((event.old, event.new))) as listener:
        client = peer(CLIENT + "    print('connected')\n    sys.stdin.readline()\n", listener.address.port)
        server = listener.accept(timeout=10.0)
        server.set_config(Config(timeout_connected=300))
        assert client.line() == "connected"
        client.kill()
        server.send(b"?")
        assert rest_of(server) == []
        server.close()
    assert changes == [(NONE, CONNECTING), (CONNECTING, CONNECTED), (CONNECTED, PROBLEM)]


@once("the core notices and waits, whatever the API")
def test_a_stopped_peer_comes_back_without_an_end(listener: ListenSocket, peer: Callable[..., Peer]) -> None:
    """A silence shorter than the timeout ends nothing."""
    client = peer(CLIENT + "    print(connection.recv(10).decode())\n    connection.close()\n", listener.address.port)
    server = listener.accept(timeout=10.0)
    eventually(lambda: server.state is CONNECTED)
    stopped = psutil.Process(client.process.pid)
    stopped.suspend()
    server.send(b"are you there?")
    time.sleep(0.5)
    assert server.state is CONNECTED
    stopped.resume()
    assert client.line() == "are you there?"
    assert server.wait_closed(timeout=5.0).ok
    server.close()


def test_after_a_local_close_events_stop(api: Api, pair: tuple[Connection, Connection]) -> None:
    """The handle is dead at once: whatever the peer does afterwards, and whatever was waiting, reports nothing more."""
    client, server = pair
    with api.PollGroup() as group:
        group.add(server)
        client.send_many([b"a", b"b", b"c"])
        eventually(lambda: client.send_queue().messages == 0, what="their arrival")
        server.close(1008, "not interested")
        events = group.poll(timeout=5.0)
        assert [event for event in events if isinstance(event, MessageReceived)] == []
        assert [event.end.code for event in events if isinstance(event, StatusChanged) and event.end] == [1008]
        client.wait_closed(timeout=5.0)
        assert group.poll(timeout=0.2) == []
        with pytest.raises(ConnectionClosed):
            server.send(b"x")
