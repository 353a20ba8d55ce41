"""Ctrl-C: every call that waits in the main thread ends at once, and loses nothing."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE, Peer

import gns_py.session.sync as sessions
import gns_py.sync as gns
from gns_py.sync import ListenSocket

# The design's promise, plus the time that a busy machine may take to run the handler.
PROMISED = 0.2
SLACK = 0.4

WAIT = """
    import sys, time
    import gns_py, gns_py.sync as gns
    from gns_py import Config

    port = int(sys.argv[1])
    slow = Config(send_rate_min=1024, send_rate_max=1024, send_buffer_size=20_000)
    listener = gns.listen("127.0.0.1", 0)
    server = gns.serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0)
    connection = gns.connect("127.0.0.1", port, config=slow)

    def drain():
        while connection.send_queue().bytes < 18_000:
            connection.send(bytes(1000))
        connection.drain()

    def connect():
        gns.connect("127.0.0.1", 9, timeout=60.0)

    def stop():
        for number in range(18):
            connection.send(bytes(1000))
        connection.close()
        gns_py.stop(linger=60.0)

    wait = {wait}
    print("waiting")
    try:
        wait()
        print("not interrupted")
    except KeyboardInterrupt:
        print(time.monotonic())
    sys.stdin.readline()
    {after}
    for each in (connection, listener, server):
        each.close(linger=False)
    print("done")
"""


def interrupt(listener: ListenSocket, program: Peer) -> gns.Connection:
    """Let the program connect, wait, and be interrupted; return the connection to it."""
    connection = listener.accept(timeout=10.0)
    assert program.line() == "waiting"
    time.sleep(0.25)
    began = time.monotonic()
    program.interrupt()
    assert float(program.line()) - began < PROMISED + SLACK
    return connection


@pytest.mark.parametrize(
    "wait",
    [
        "connection.recv",
        "connection.recv_message",
        "connection.recv_many",
        "lambda: list(connection)",
        "lambda: connection.poll(None)",
        "lambda: connection.recv(timeout=60.0)",
        "connection.wait_closed",
        "drain",
        "connect",
        "listener.accept",
        "lambda: listener.accept(timeout=60.0)",
        "lambda: listener.poll(None)",
        "lambda: list(listener)",
        "server.wait_closed",
        "server.serve_forever",
        "stop",
    ],
)
def test_ctrl_c_ends_a_wait_in_the_main_thread(listener: ListenSocket, peer: Callable[..., Peer], wait: str) -> None:
    after = "assert gns_py.is_running(); gns_py.stop(0)" if wait == "stop" else ""
    program = peer(WAIT.format(wait=wait, after=after), listener.address.port)
    with interrupt(listener, program):
        program.say("go on")
        assert program.line() == "done"
    assert program.wait() == 0
    assert "Traceback" not in program.stderr


@pytest.mark.parametrize(
    "wait", ["connection.recv", "lambda: connection.poll(None)", "connection.wait_closed", "connection.recv_many"]
)
def test_ctrl_c_loses_no_message(listener: ListenSocket, peer: Callable[..., Peer], wait: str) -> None:
    after = "print([connection.recv(timeout=5.0) for _ in range(3)])"
    program = peer(WAIT.format(wait=wait, after=after), listener.address.port)
    with interrupt(listener, program) as connection:
        connection.send_many([b"one", b"two", b"three"])
        program.say("go on")
        assert program.line() == "[b'one', b'two', b'three']"
        assert program.line() == "done"
    assert program.wait() == 0


def test_ctrl_c_in_the_middle_of_traffic_loses_no_message(listener: ListenSocket, peer: Callable[..., Peer]) -> None:
    """The program is interrupted again and again while messages pour in; only the wait ends, and the work goes on."""
    program = peer(
        """
        import sys, signal, time
        import gns_py.sync as gns

        class Interrupted(Exception): pass

        waiting = False

        def handler(number, frame):
            if waiting:  # in code that expects it: a message in a local variable is the application's to lose
                raise Interrupted

        signal.signal(signal.SIGINT, handler)
        connection = gns.connect("127.0.0.1", int(sys.argv[1]))
        print("connected")
        received, interrupts = [], 0
        while len(received) < 2000:
            try:
                waiting = True
                connection.wait_closed(timeout=0.02)
            except TimeoutError:
                pass
            except Interrupted:
                interrupts += 1
            waiting = False
            try:
                received += [int(message.data) for message in connection.recv_many(timeout=0)]
            except TimeoutError:
                pass
        print(received == list(range(2000)), interrupts > 0)
        connection.close()
        """,
        listener.address.port,
    )
    with listener.accept(timeout=10.0) as connection:
        assert program.line() == "connected"
        for number in range(2000):
            connection.send(b"%d" % number)
            if number % 40 == 0:
                program.interrupt()
                time.sleep(0.01)
        assert program.line() == "True True"
    assert program.wait() == 0


def test_ctrl_c_ends_the_wait_for_what_lingers_at_exit(listener: ListenSocket, peer: Callable[..., Peer]) -> None:
    program = peer(
        """
        import sys
        import gns_py.sync as gns
        from gns_py import Config

        slow = Config(send_rate_min=1024, send_rate_max=1024)
        with gns.connect("127.0.0.1", int(sys.argv[1]), config=slow) as connection:
            for number in range(20):
                connection.send(bytes(1000))
        print("exiting")
        """,
        listener.address.port,
    )
    with listener.accept(timeout=10.0):
        assert program.line() == "exiting"
        time.sleep(0.3)
        assert program.process.poll() is None
        began = time.monotonic()
        program.interrupt()
        program.wait()
        assert time.monotonic() - began < PROMISED + SLACK + 0.5  # the interpreter's own end


def test_ctrl_c_that_is_not_caught_ends_the_program(listener: ListenSocket, peer: Callable[..., Peer]) -> None:
    program = peer(
        """
        import sys
        import gns_py.sync as gns

        with gns.connect("127.0.0.1", int(sys.argv[1])) as connection:
            print("waiting")
            connection.recv()
        """,
        listener.address.port,
    )
    with listener.accept(timeout=10.0) as connection:
        assert program.line() == "waiting"
        time.sleep(0.2)
        program.interrupt()
        assert connection.wait_closed(timeout=5.0).code == 1000
    assert program.wait() in (130, -2, 0xC000013A)  # the last one is Windows' STATUS_CONTROL_C_EXIT
    assert program.stderr.rstrip().endswith("KeyboardInterrupt")


RAISING = """
    import os, random, signal, sys, threading, time
    import gns_py.sync as gns
    import gns_py.session.sync as sessions

    class Interrupted(Exception):
        pass

    def handler(number, frame):
        # What a call has handed out is the program's to lose: it is interrupted while it is inside of one.
        while frame is not None:
            if frame.f_globals.get("__name__", "").startswith("gns_py.") and armed:
                counted[0] += 1
                raise Interrupted
            frame = frame.f_back

    armed, counted = False, [0]
    signal.signal(signal.SIGUSR1, handler)

    def disturb():
        while True:
            time.sleep(random.uniform(0, 0.003))
            os.kill(os.getpid(), signal.SIGUSR1)

    threading.Thread(target=disturb, daemon=True).start()
"""

READING = (
    RAISING
    + """
    address, kind, how, count = ("127.0.0.1", int(sys.argv[1])), sys.argv[2], sys.argv[3], int(sys.argv[4])
    connection = (gns if kind == "connection" else sessions).connect(*address)

    def data(messages):
        return [int(each.message.data if hasattr(each, "message") else each.data) for each in messages
                if hasattr(each, "message") or hasattr(each, "data")]

    def read():
        if how == "recv":
            return [int(connection.recv(timeout=0.02))]
        if how == "recv_many":
            return data(connection.recv_many(timeout=0.02))
        return data(connection.poll(0.02))

    received = []
    deadline = time.monotonic() + 60
    while len(received) < count and time.monotonic() < deadline:
        try:
            armed = True
            received += read()
            armed = False
        except (Interrupted, TimeoutError):
            armed = False
    print(received == list(range(count)), counted[0] > 5, len(received), flush=True)
    sys.stdin.readline()
    os._exit(0)
    """
)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs a signal of the program's own")
@pytest.mark.parametrize("how", ["recv", "recv_many", "poll"])
@pytest.mark.parametrize("kind", ["connection", "session"])
def test_what_a_signals_handler_raises_loses_and_doubles_nothing(
    peer: Callable[..., Peer], kind: str, how: str
) -> None:
    count = 4000

    def pour(connection: Any) -> None:
        for number in range(count):
            connection.send(b"%d" % number)
            connection.drain(timeout=30.0)
        with contextlib.suppress(gns.ConnectionClosed):
            connection.wait_closed(timeout=60.0)

    # Acks are due all the time, too.
    few = sessions.SessionConfig(credit_messages=200)
    serving = (
        gns.serve(pour, "127.0.0.1", 0)
        if kind == "connection"
        else sessions.serve(pour, "127.0.0.1", 0, session_config=few)
    )
    with serving as server:
        program = peer(READING, server.address.port, kind, how, count)
        assert program.line(40.0 * PATIENCE) == f"True True {count}"
        program.say("go on")
        assert program.wait() == 0


SENDING = (
    RAISING
    + """
    session = sessions.connect("127.0.0.1", int(sys.argv[1]))
    sent, count = 0, int(sys.argv[2])
    deadline = time.monotonic() + 60
    while sent < count and time.monotonic() < deadline:
        try:
            session.send(b"%d" % sent)  # not interrupted: the program would not know whether it was sent
            sent += 1
        except gns.SendQueueFull:
            pass
        if session.queued[1]:
            try:
                armed = True
                session.drain(timeout=0.01)
                armed = False
            except (Interrupted, TimeoutError):
                armed = False
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    session.close()
    print(session.end.ok, counted[0] > 5, flush=True)
    sys.stdin.readline()
    os._exit(0)
    """
)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs a signal of the program's own")
def test_what_a_signals_handler_raises_sends_nothing_twice(peer: Callable[..., Peer]) -> None:
    count = 4000
    received: list[int] = []

    def read(session: sessions.Session) -> None:
        for data in session:
            received.append(int(data))
            if len(received) % 100 == 0:
                time.sleep(0.002)  # a slower reader, so that messages wait at the other end

    few = sessions.SessionConfig(credit_messages=64)
    with sessions.serve(read, "127.0.0.1", 0, session_config=few) as server:
        program = peer(SENDING, server.address.port, count)
        assert program.line() == "True True"
        program.say("go on")
        assert program.wait() == 0
    assert received == list(range(count))
