"""Every connection ends with exactly one terminal event."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

import psutil
import pytest
from support import Api, Peer, eventually, next_request, once
from support.states import CLIENT, CLOSED_BY_PEER, CONNECTED, CONNECTING, NONE, PROBLEM, established, rest_of

import gns_py
from gns_py import Config, ConnectionClosed, ConnectionState, MessageReceived, NotRunningError, StatusChanged
from gns_py.sync import Connection, ListenSocket


class Ends:
    """A client's and a server's connection, with callbacks and, once accepted, polled; every event of both is kept."""

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
        with contextlib.suppress(NotRunningError):  # after stop(), once it has reported everything
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
    for _ in range(3):  # nothing follows it
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
    """Both ends report one end without having been connected."""
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
    """There is no server: CONNECTING, then the problem, then nothing, not even when the connection is closed."""
    told: list[StatusChanged[Connection]] = []
    client = api.connect("127.0.0.1", 9, timeout=0.2, wait=False, on_status_changed=told.append)
    client.wait_closed(timeout=5.0)
    client.close()
    assert [(event.old, event.new) for event in told] == [(NONE, CONNECTING), (CONNECTING, PROBLEM)]


@once("the core notices and waits, whatever the API")
def test_a_killed_peer_ends_a_connection_once(api: Api, peer: Callable[..., Peer]) -> None:
    """The killed one cannot report anything; the other end gets one event."""
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
    """The handle is dead at once: whatever the peer does afterwards, and whatever was pending, reports nothing more."""
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
