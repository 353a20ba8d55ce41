"""The states up to Connected.

Each test is one sentence of the documentation of ESteamNetworkingConnectionState.
"""

from __future__ import annotations

import threading
import time

import pytest
from support import PATIENCE, Api, next_request, once
from support.states import CLOSED_BY_PEER, CONNECTED, CONNECTING, NONE, PROBLEM, begin, established

import gns_py
from gns_py import (
    ClosedBy,
    Config,
    ConnectionClosedOK,
    ConnectionState,
    ConnectTimeout,
    EndReason,
    EndReasonRange,
    MessageDropped,
)
from gns_py.sync import Connection, ListenSocket

# ---- None ------------------------------------------------------------------------------------------------------------


def test_none_is_what_a_connection_says_that_has_been_closed(pair: tuple[Connection, Connection]) -> None:
    """NONE stands for an error: the connection is closed already."""
    client, _ = pair
    client.close()
    assert client.state is NONE
    assert client.info().state is NONE


def test_none_is_what_a_connection_says_that_does_not_exist(pair: tuple[Connection, Connection]) -> None:
    """... or does not exist: everything went away with the runtime."""
    gns_py.stop(linger=0)
    assert [end.state for end in pair] == [NONE, NONE]


# ---- Connecting ------------------------------------------------------------------------------------------------------


def test_connecting_until_the_server_wants_to_talk(api: Api, listener: ListenSocket) -> None:
    """CONNECTING: the ends find out whether they can talk and want to, that is, whether the server accepts."""
    with begin(api, listener) as client:
        assert client.state is CONNECTING
        request = next_request(listener)
        assert client.state is CONNECTING
        assert request.connection.state is CONNECTING
        request.accept()
        established(client)
        assert client.state is CONNECTED


def test_connecting_the_client_might_not_know_who_the_server_is(api: Api, listener: ListenSocket) -> None:
    """While it is connecting, the client cannot know the other end's identity."""
    with begin(api, listener) as client:
        assert client.info().identity == "invalid"
        next_request(listener).accept()
        established(client)
        assert client.info().identity != "invalid"


def test_connecting_does_not_tell_whether_network_or_application_is_waited_for(
    api: Api, listener: ListenSocket
) -> None:
    """One client waits for the network, another for accept(): they look alike."""
    with (
        begin(api, listener) as waits_for_accept,
        api.connect("127.0.0.1", 9, wait=False, timeout=5.0) as waits_for_the_network,
    ):
        next_request(listener)
        infos = [each.info() for each in (waits_for_accept, waits_for_the_network)]
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
    """Sending is possible before: the message waits."""
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
    """The other end behaves alike."""
    with begin(api, listener) as client:
        request = next_request(listener)
        request.connection.send(b"never delivered")
        request.reject()
        assert client.wait_closed(timeout=5.0).closed_by is ClosedBy.PEER
        with pytest.raises(ConnectionClosedOK):
            client.recv(timeout=1.0)


@once("connect() that waits, asyncio's only one, closes what has failed")
def test_connecting_without_an_answer_ends_in_problem_detected_locally_by_timeout(api: Api) -> None:
    """There is no answer: only the timeout reveals it."""
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
    """The code and the text of the refusal reach the client's application."""
    with begin(api, listener) as client:
        next_request(listener).reject(1500, "the server is full: sché 日本")
        end = client.wait_closed(timeout=5.0)
        assert (end.closed_by, end.code, end.text) == (ClosedBy.PEER, 1500, "the server is full: sché 日本")
        assert client.state is CLOSED_BY_PEER


# ---- FindingRoute ----------------------------------------------------------------------------------------------------


def test_finding_route_is_left_out_by_connections_over_udp(api: Api, listener: ListenSocket) -> None:
    """Only connections with a back channel (P2P) look for a route: others go from CONNECTING to CONNECTED."""
    changes: list[tuple[ConnectionState, ConnectionState]] = []
    accepting = threading.Thread(target=lambda: listener.accept(timeout=5.0))
    accepting.start()
    with api.connect(*listener.address, on_status_changed=lambda event: changes.append((event.old, event.new))):
        accepting.join()
    assert changes == [(NONE, CONNECTING), (CONNECTING, CONNECTED), (CONNECTED, NONE)]
