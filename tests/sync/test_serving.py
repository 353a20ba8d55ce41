"""Threads that serve GNS while they wait: interrupted, forked, stopped, left at the exit, and away. See serving.md."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest
from support import PATIENCE, Peer, eventually
from support.threads import until_waiting

import gns_py
import gns_py.sync as gns
from gns_py import Config, NotRunningError
from gns_py.sync import Connection

Pair = tuple[Connection, Connection]

# Begins each program: a client and a server's end over UDP. A thread that waits alone serves GNS.
PROGRAM = """
    import multiprocessing, sys, threading, time
    import gns_py
    import gns_py.sync as gns

    def connect():
        listener = gns.listen("127.0.0.1", 0)
        clients = []
        thread = threading.Thread(target=lambda: clients.append(gns.connect(*listener.address)))
        thread.start()
        server = listener.accept(timeout=10.0)
        thread.join()
        return listener, clients[0], server

    def exchange(client, server):
        for number in range(20):
            client.send(b"%d" % number)
            assert server.recv(timeout=10.0) == b"%d" % number
            server.send(b"back")
            assert client.recv(timeout=10.0) == b"back"
"""
FORK = """
    def work(queue):
        queue.put("child")

    if __name__ == "__main__":
        listener, client, server = connect()
        got = []
        waits = threading.Thread(target=lambda: got.append(server.recv()))
        waits.start()
        context = multiprocessing.get_context("fork")
        for _ in range(3):
            time.sleep(0.05)
            queue = context.SimpleQueue()
            child = context.Process(target=work, args=(queue,))
            child.start()
            print(queue.get())
            child.join()
        client.send(b"to the thread that has waited all the time")
        waits.join()
        exchange(client, server)
        for each in (client, server, listener):
            each.close(linger=False)
        print(*got)
"""
EXIT = """
    def wait(connection):
        print(connection.recv())

    listener, client, server = connect()
    exchange(client, server)
    for connection in {waiting}:
        threading.Thread(target=wait, args=(connection,), daemon=True).start()
    time.sleep(0.1)
    {end}
"""


def test_ctrl_c_ends_the_wait_of_a_thread_that_serves(peer: Callable[..., Peer]) -> None:
    program = peer(
        PROGRAM
        + """
    listener, client, server = connect()
    exchange(client, server)
    print("waiting")
    try:
        server.recv()
    except KeyboardInterrupt:
        print("interrupted")
    exchange(client, server)
    for each in (client, server, listener):
        each.close(linger=False)
    """
    )
    assert program.line() == "waiting"
    time.sleep(0.1)
    program.interrupt()
    assert program.line(2.0 * PATIENCE) == "interrupted"
    assert program.wait() == 0, program.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_while_a_thread_serves(peer: Callable[..., Peer]) -> None:
    program = peer(PROGRAM + FORK)
    assert [program.line() for _ in range(3)] == ["child"] * 3
    assert program.line() == "b'to the thread that has waited all the time'"
    assert program.wait() == 0, program.stderr


@pytest.mark.parametrize("waiting", ["[server]", "[client, server]"])
@pytest.mark.parametrize("end", ["pass", "gns_py.stop()", "sys.exit(3)"])
def test_the_exit_while_daemon_threads_serve(peer: Callable[..., Peer], waiting: str, end: str) -> None:
    program = peer(PROGRAM + EXIT.format(waiting=waiting, end=end))
    assert program.wait(20.0 * PATIENCE) == (3 if "3" in end else 0), program.stderr


def test_stop_ends_a_thread_that_serves(pair: Pair) -> None:
    _, server = pair
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            server.recv()
        except gns_py.GNSError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    until_waiting(thread)
    gns_py.stop()
    thread.join(10.0 * PATIENCE)
    assert len(raised) == 1
    assert isinstance(raised[0], (NotRunningError, gns_py.ConnectionClosedError))


def test_what_a_thread_that_served_leaves_is_served(make_pair: Callable[..., Pair], fast: Config) -> None:
    """A thread waits once, and never again; its other connections go on, and what it sends is acknowledged."""
    client, server = make_pair(fast)
    others = [make_pair(fast) for _ in range(3)]
    client.send(b"once")
    assert server.recv(timeout=10.0) == b"once"
    for near, far in others:
        near.send(b"reliable")
        far.send(b"and back")
    ends = [end for pair in others for end in pair]
    eventually(lambda: all(end.send_queue().messages == 0 for end in ends), what="acknowledgement")


def test_it_is_served_while_that_thread_sends_all_the_time(pair: Pair) -> None:
    client, server = pair
    client.send(b"once")
    assert server.recv(timeout=10.0) == b"once"
    for _ in range(3):
        with pytest.raises(TimeoutError):
            server.recv(timeout=0.02)

    def sends_and_looks() -> bool:
        for _ in range(50):
            client.send(b"x", reliable=False)
            time.sleep(0.0002)
        return any(isinstance(event, gns.MessageReceived) for event in server.poll())

    eventually(sends_and_looks, what="a message")


def test_threads_that_take_turns(make_pair: Callable[..., Pair], fast: Config) -> None:
    """One thread waits, another one does, then both: whoever waits, everything arrives."""
    pairs = [make_pair(fast) for _ in range(3)]
    failures: list[BaseException] = []

    def echo(connection: Connection) -> None:
        for _ in range(200):
            connection.send(connection.recv(timeout=20.0 * PATIENCE))

    def ask(connection: Connection) -> None:
        for number in range(200):
            connection.send(b"%d" % number)
            assert connection.recv(timeout=20.0 * PATIENCE) == b"%d" % number
            if number % 50 == 0:
                time.sleep(0.01)

    def run(work: Callable[[Connection], None], connection: Connection) -> None:
        try:
            work(connection)
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=(work, connection))
        for near, far in pairs
        for work, connection in ((ask, near), (echo, far))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
