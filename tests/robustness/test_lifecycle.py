"""Starting and stopping again and again; closing twice, from several threads, and using closed objects."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import PATIENCE, counts_references, eventually, until_connected

import gns_py
import gns_py.sync as gns

Process = subprocess.Popen[str]

TWENTY_TIMES = """
import json, sys, threading, time
import psutil
from support import open_descriptors
from support.platforms import RATE
import gns_py
import gns_py.sync as gns

process = psutil.Process()
measured = []
stale = None
for round in range(20):
    name = f"str:round {round}"
    gns_py.start(name)
    assert gns_py.is_running()
    fast = gns.Config(send_rate_min=RATE, send_rate_max=RATE, send_buffer_size=1 << 20)

    def echo(connection):
        for data in connection:
            connection.send(data)

    server = gns.serve(echo, "127.0.0.1", 0, config=fast)
    client = gns.connect(*server.address, config=fast)
    assert str(client.remote_identity) == name, client.remote_identity
    for number in range(200):
        client.send(number.to_bytes(4, "little") * 250)
    for number in range(200):
        assert client.recv(10) == number.to_bytes(4, "little") * 250
    if stale is not None:
        # A handle of an earlier round never hits a connection of this one.
        assert stale.state is gns.ConnectionState.NONE
        try:
            stale.send(b"x")
        except gns.ConnectionClosed as error:
            assert error.code == gns.EndReason.SHUTDOWN, error
        else:
            sys.exit("sent on a connection of an earlier round")
        stale.close()
    if round % 2:
        client.close()
        server.close()
        server.wait_closed(10)
        gns_py.stop()
        stale = None
    else:
        client.send(b"still on its way")
        gns_py.stop(linger=0)
        assert client.state is gns.ConnectionState.NONE
        assert client.wait_closed(1).code == gns.EndReason.SHUTDOWN
        server.close()
        server.wait_closed(10)
        stale = client
    assert not gns_py.is_running()
    deadline = time.monotonic() + 5
    while process.num_threads() > 1 and time.monotonic() < deadline:  # a joined thread may still be on its way out
        time.sleep(0.001)
    measured.append((process.memory_info().rss, open_descriptors(), process.num_threads()))
print(json.dumps(measured))
"""


@counts_references  # and whose memory does not grow with what it compiles
def test_twenty_starts_and_stops_in_one_process_leak_nothing(spawn: Callable[..., Process]) -> None:
    process = spawn(TWENTY_TIMES)
    output, errors = process.communicate(timeout=60 * PATIENCE)
    assert process.returncode == 0, errors
    measured = json.loads(output)
    memory, descriptors, threads = zip(*measured, strict=True)
    # The first rounds fill the caches of Python, OpenSSL and malloc.
    assert memory[-1] - memory[4] < 2 << 20, memory
    assert len(set(descriptors)) == 1, descriptors
    assert set(threads) == {1}, threads
    assert errors == ""


def test_start_and_stop_from_many_threads_at_once() -> None:
    """Whichever wins, nothing breaks, and it starts again."""

    def once(number: int) -> None:
        try:
            if number % 2:
                gns_py.stop(linger=0)
            else:
                a, b = gns.socket_pair()
                with a, b:
                    a.send(b"x")
                    b.recv(timeout=1)
        except (gns_py.GNSError, TimeoutError):
            pass  # stopped in the meantime

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(once, range(400)))
    a, b = gns.socket_pair()
    with a, b:
        a.send(b"fine")
        assert b.recv(timeout=5) == b"fine"


@pytest.fixture
def ends(listener: gns.ListenSocket) -> Iterator[tuple[gns.Connection, gns.Connection]]:
    """Yield a client and the server's end, like conftest's pair, and the listen socket."""
    client = gns.connect(*listener.address, wait=False)
    with client, listener.accept(timeout=5) as server:
        eventually(lambda: client.state is gns.ConnectionState.CONNECTED)
        yield client, server


def use(connection: gns.Connection) -> Iterator[tuple[str, Callable[[], object]]]:
    """Return every call that a closed connection refuses."""
    yield "send", lambda: connection.send(b"x")
    yield "send_many", lambda: connection.send_many([b"x"])
    yield "recv", lambda: connection.recv(timeout=1)
    yield "recv without a limit", connection.recv
    yield "recv_message", lambda: connection.recv_message(timeout=1)
    yield "recv_many", lambda: connection.recv_many(timeout=1)
    yield "drain", lambda: connection.drain(timeout=1)
    yield "flush", connection.flush
    yield "stats", connection.stats
    yield "lane_stats", connection.lane_stats
    yield "send_queue", connection.send_queue
    yield "details", connection.details
    yield "configure_lanes", lambda: connection.configure_lanes([0, 0])
    yield "name", lambda: connection.name
    yield "set name", lambda: setattr(connection, "name", "x")
    yield "set user_data", lambda: setattr(connection, "user_data", 1)
    yield "set_config", lambda: connection.set_config(gns.Config(nagle_time=1))
    yield "get_config", lambda: connection.get_config(gns_py.ConfigValue.NAGLE_TIME)


@pytest.mark.parametrize("how", ["close", "listener", "stop"])
def test_everything_after_close_says_which_end_closed_it(
    listener: gns.ListenSocket, ends: tuple[gns.Connection, gns.Connection], how: str
) -> None:
    _, server = ends
    if how == "close":
        server.close(1500, "enough")
        expected = (1500, "enough")
    elif how == "listener":
        listener.close(1600, "no more")
        expected = (1600, "no more")
    else:
        gns_py.stop(linger=0)
        expected = (2999, "the runtime was stopped")
    for name, call in use(server):
        with pytest.raises(gns.ConnectionClosed) as raised:
            call()
        assert (raised.value.code, raised.value.text, raised.value.end.closed_by.name) == (*expected, "LOCAL"), name
    assert server.state is gns.ConnectionState.NONE
    assert server.end is not None
    assert server.wait_closed(timeout=1) == server.end
    assert server.info().remote_address is not None
    server.close()
    server.close(2000, "again")
    assert (server.end.code, server.end.text) == expected


@pytest.mark.parametrize("is_read", [False, True])
def test_sending_while_the_listen_socket_closes_tells_the_right_end(
    ends: tuple[gns.Connection, gns.Connection], listener: gns.ListenSocket, is_read: bool
) -> None:
    _, server = ends
    told: list[gns.ConnectionClosed] = []
    sending = threading.Event()

    def pour() -> None:
        try:
            while True:
                try:
                    server.send(bytes(100))
                except gns.SendQueueFull:
                    time.sleep(0)
                sending.set()
        except gns.ConnectionClosed as error:
            told.append(error)

    def read() -> None:
        try:
            while True:
                server.recv()
        except gns.ConnectionClosed as error:
            told.append(error)

    threads = [threading.Thread(target=each) for each in ([pour, read] if is_read else [pour])]
    for thread in threads:
        thread.start()
    assert sending.wait(5)
    listener.close(1700, "moving", linger=False)
    for thread in threads:
        thread.join(10)
    assert [(error.code, error.text) for error in told] == [(1700, "moving")] * len(threads)


@pytest.mark.parametrize("what", ["connection", "listener", "both"])
def test_closing_from_several_threads_at_once_is_one_close(what: str) -> None:
    for _ in range(50):
        statuses: list[gns.StatusChanged[gns.Connection]] = []
        with gns.listen("127.0.0.1", 0, on_status_changed=statuses.append) as listener:
            client = gns.connect(*listener.address, wait=False)
            server = listener.accept(timeout=5)
            until_connected(client)
            closable: dict[str, list[gns.Connection | gns.ListenSocket]] = {
                "connection": [server],
                "listener": [listener],
                "both": [server, listener],
            }
            targets = closable[what]
            barrier = threading.Barrier(4 * len(targets))

            def close(
                target: gns.Connection | gns.ListenSocket, number: int, barrier: threading.Barrier = barrier
            ) -> None:
                barrier.wait(5)
                target.close(1000 + number, str(number))

            with ThreadPoolExecutor(barrier.parties) as pool:
                futures = [pool.submit(close, target, number) for number in range(4) for target in targets]
                for future in futures:
                    future.result()
            end = client.wait_closed(timeout=5)
            assert end.closed_by is gns_py.ClosedBy.PEER
            assert 1000 <= end.code < 1004
            assert end.text == str(end.code - 1000)
            assert server.state is gns.ConnectionState.NONE
            assert server.wait_closed(timeout=5).code == end.code
            server.close()
            client.close()
        assert len([status for status in statuses if status.end]) == 1


def test_closing_while_another_thread_waits_ends_the_wait(ends: tuple[gns.Connection, gns.Connection]) -> None:
    client, _ = ends
    raised: list[BaseException] = []

    def read() -> None:
        try:
            client.recv()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.1)  # so that it waits; if it does not yet, the test is only easier
    began = time.monotonic()
    client.close(1200, "changed my mind")
    thread.join(5)
    assert time.monotonic() - began < 1 * PATIENCE
    (error,) = raised
    assert isinstance(error, gns.ConnectionClosedOK)
    assert (error.code, error.end.closed_by.name) == (1200, "LOCAL")
