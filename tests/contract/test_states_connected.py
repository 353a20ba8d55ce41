"""Connected, ClosedByPeer and ProblemDetectedLocally.

Each test is one sentence of the documentation of ESteamNetworkingConnectionState.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from support import PATIENCE, Api, Peer, eventually, next_request, once
from support.states import (
    CHUNK,
    CLIENT,
    CLOSED_BY_PEER,
    CONNECTED,
    LARGE,
    NONE,
    PROBLEM,
    begin,
    established,
    rest_of,
    uses,
)

import gns_py
from gns_py import ClosedBy, Config, ConnectionClosedError, ConnectionClosedOK, EndReason
from gns_py.sync import Connection, ListenSocket

# ---- Connected -------------------------------------------------------------------------------------------------------


def test_connected_both_have_heard_from_each_other_and_know_who_they_are(api: Api) -> None:
    """CONNECTED: messages go both ways, and each end knows an identity of the other."""
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
    """Unlike with TCP, a closing process that dies takes unsent data with it."""
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
    """The connection still exists for the API, and reports its last figures and why it ended."""
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
    """The messages are read first, then the end."""
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
    """Return the server's end, with two messages to read, of a connection whose client was killed."""
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
    """A killed process says nothing: only the silence reveals it."""
    end = vanished.wait_closed(timeout=10.0)
    assert vanished.state is PROBLEM
    assert (end.closed_by, end.code, end.text) == (ClosedBy.PROBLEM, EndReason.MISC_TIMEOUT, "Connection dropped")
    assert not end.ok
    assert end.can_retry
    vanished.close()


@once("the core notices and waits, whatever the API")
def test_problem_detected_locally_the_connection_still_exists_until_it_is_closed(vanished: Connection) -> None:
    """It can still be inspected, and close() ends the handle."""
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


@once("the core notices and waits, whatever the API; test_receiving.py reads after other problems")
def test_problem_detected_locally_received_messages_remain_available(vanished: Connection) -> None:
    """The messages are read first, then the end."""
    vanished.wait_closed(timeout=10.0)
    assert [message.data for message in vanished.recv_many(timeout=0)] == [b"one", b"two"]
    with pytest.raises(ConnectionClosedError):
        vanished.recv(timeout=0)
    vanished.close()


def test_problem_detected_locally_by_the_library_itself(
    make_pair: Callable[..., tuple[Connection, Connection]],
) -> None:
    """A message larger than this end accepts is a problem too; the peer is told which one."""
    client, server = make_pair(None, Config(recv_max_message_size=1000))
    client.send(bytes(1001))
    end = server.wait_closed(timeout=5.0)
    assert (end.closed_by, end.code) == (ClosedBy.PROBLEM, EndReason.MISC_INTERNAL_ERROR)
    assert end.text
    assert not end.can_retry
    told = client.wait_closed(timeout=5.0)
    assert (told.closed_by, told.code) == (ClosedBy.PEER, end.code)
