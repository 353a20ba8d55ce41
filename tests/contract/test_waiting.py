"""Every waiting call ends when there is nothing left to wait for, and says why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import Api, eventually

import gns_py
from gns_py import (
    ClosedBy,
    Config,
    ConnectionClosed,
    ConnectionEnd,
    ConnectionState,
    EndReason,
    InvalidStateError,
    NotRunningError,
)
from gns_py.sync import Connection, ListenSocket

Pair = tuple[Connection, Connection]

SLOW = Config(send_rate_min=1024, send_rate_max=1024, send_buffer_size=20_000)
# The time in which the other thread should begin to wait. If it takes longer, the test shows less.
BEGIN = 0.05


def fill_and_drain(connection: Connection) -> None:
    while connection.send_queue().bytes < 18_000:
        connection.send(bytes(1000))
    connection.drain()


def ping_afar(connection: Connection) -> float:
    gns_py.set_config(Config(fake_packet_lag_send=150))  # longer than it takes to be closed in the meantime
    return connection.ping()


def read_all(connection: Connection) -> ConnectionEnd | None:
    assert list(connection) == []
    return connection.end


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


@pytest.mark.parametrize(
    "wait",
    [
        lambda connection: connection.recv(),
        lambda connection: connection.recv_message(),
        lambda connection: connection.recv_many(),
        lambda connection: connection.wait_closed(),
        ping_afar,
        read_all,
        fill_and_drain,
    ],
    ids=["recv", "recv_message", "recv_many", "wait_closed", "ping", "iteration", "drain"],
)
@pytest.mark.parametrize("cause", ["peer", "close", "stop"])
@pytest.mark.usefixtures("process_config")
def test_a_wait_for_a_connection_ends_with_it(
    make_pair: Callable[..., Pair],
    pool: ThreadPoolExecutor,
    wait: Callable[[Connection], object],
    cause: str,
) -> None:
    client, server = make_pair(SLOW)
    waiting = pool.submit(wait, client)
    time.sleep(BEGIN)
    if cause == "peer":
        server.close(1444, "enough", linger=False)
        expected = ConnectionEnd(ClosedBy.PEER, 1444, "enough")
    elif cause == "close":
        client.close(1444, "enough", linger=False)
        expected = ConnectionEnd(ClosedBy.LOCAL, 1444, "enough")
    else:
        gns_py.stop(linger=0)
        expected = ConnectionEnd(ClosedBy.LOCAL, EndReason.SHUTDOWN, "")
    try:
        end = waiting.result(timeout=5.0)
    except ConnectionClosed as closed:
        end = closed.end
    assert isinstance(end, ConnectionEnd)
    assert (end.closed_by, end.code) == (expected.closed_by, expected.code)
    assert end.text == expected.text or cause == "stop"
    assert client.end is not None
    assert (client.end.closed_by, client.end.code) == (end.closed_by, end.code)


@pytest.mark.parametrize("wait", [lambda listener: listener.accept(), list], ids=["accept", "iteration"])
@pytest.mark.parametrize("cause", ["close", "stop"])
def test_a_wait_for_a_client_ends_with_the_listen_socket(
    listener: ListenSocket, pool: ThreadPoolExecutor, wait: Callable[[ListenSocket], object], cause: str
) -> None:
    waiting = pool.submit(wait, listener)
    time.sleep(BEGIN)
    if cause == "stop":
        gns_py.stop(linger=0)
        with pytest.raises(NotRunningError):
            waiting.result(timeout=5.0)
    else:
        listener.close()
        error = waiting.exception(timeout=5.0)
        assert error is None or (type(error) is InvalidStateError and str(error) == "the listen socket is closed")
        assert error is not None or waiting.result() == []


def test_what_had_arrived_can_be_read_after_the_runtime_was_stopped(make_pair: Callable[..., Pair]) -> None:
    client, server = make_pair()
    client.send_many([b"one", b"two"])
    eventually(lambda: client.send_queue().messages == 0)
    assert server.recv(timeout=5.0) == b"one"
    gns_py.stop(linger=0)
    assert server.wait_closed(timeout=5.0).code == EndReason.SHUTDOWN
    assert server.recv(timeout=5.0) == b"two"
    with pytest.raises(ConnectionClosed) as closed:
        server.recv(timeout=5.0)
    assert closed.value.code == EndReason.SHUTDOWN


def test_the_end_is_known_without_reading_when_the_runtime_was_stopped(pair: Pair) -> None:
    gns_py.stop(linger=0)
    for connection in pair:
        eventually(lambda: connection.end is not None)  # noqa: B023 - called here only
        assert connection.end is not None
        assert (connection.end.closed_by, connection.end.code) == (ClosedBy.LOCAL, EndReason.SHUTDOWN)


def test_both_apis_start_again_after_a_stop(api: Api) -> None:
    def answer(connection: Connection) -> None:
        connection.send(connection.recv())

    for _ in range(2):
        with api.serve(answer, "127.0.0.1", 0) as server:
            client = api.connect(*server.address)
            client.send(b"hello")
            assert client.recv(timeout=5.0) == b"hello"
            gns_py.stop(linger=0)
            assert client.state is ConnectionState.NONE
            client.close()
