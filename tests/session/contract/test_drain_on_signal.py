"""Server processes that get SIGTERM, as service managers send it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from support import PATIENCE, Peer, eventually
from support.outages import TIMEOUT

import gns_py.sync as gns
from gns_py.session import CloseReason
from gns_py.session.protocol.frames import Confirm, Hello, Welcome, decode
from gns_py.session.sync import Session, connect

from .test_drain import STAYING

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM for other processes")

HELLO = Hello(1, 1, 0, 1000, 1000, 1000, 0, 0, b"")
PROGRAMS = {
    "sync": """
        import sys, threading, time
        from gns_py.session.sync import drain_on_signal, serve

        def handle(session):
            if sys.argv[1] == "block":
                time.sleep(1000)
            count = 0
            for data in session:
                session.send(data)
                count += 1
                session.drain(timeout=60)
            session.close(data=b"%d" % count)

        with serve(handle, "127.0.0.1", 0) as server, drain_on_signal(server, deadline=float(sys.argv[2]), text="bye"):
            print(server.address.port, flush=True)
            server.wait_closed()
        print("over", threading.active_count(), flush=True)
    """,
    "asyncio": """
        import asyncio, sys
        from gns_py.session.asyncio import drain_on_signal, serve

        async def handle(session):
            if sys.argv[1] == "block":
                await asyncio.sleep(1000)
            count = 0
            async for data in session:
                session.send(data)
                count += 1
                await session.drain()
            session.close(data=b"%d" % count)

        async def main():
            async with (
                serve(handle, "127.0.0.1", 0) as server,
                drain_on_signal(server, deadline=float(sys.argv[2]), text="bye"),
            ):
                print(server.address.port, flush=True)
                await server.wait_closed()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            print("over", flush=True)

        asyncio.run(main())
    """,
}
Start = Callable[..., tuple[Peer, int]]


@pytest.fixture(params=PROGRAMS)
def start(request: pytest.FixtureRequest, peer: Callable[..., Peer]) -> Start:
    """Return a function (what handlers do, deadline) that starts a server, and returns it and its port."""

    def start(what: str, deadline: float) -> tuple[Peer, int]:
        program = peer(PROGRAMS[request.param], what, deadline)
        return program, int(program.line(TIMEOUT))

    return start


def terminate(server: Peer) -> None:
    server.process.send_signal(signal.SIGTERM)


def check_over(server: Peer, timeout: float = TIMEOUT) -> None:
    assert server.line(timeout).startswith("over")
    assert server.wait(TIMEOUT) == 0
    assert "Traceback" not in server.stderr


def stay(port: int, **named: Any) -> Session:
    return connect("127.0.0.1", port, **STAYING, **named)


class Player:
    """A client that sends and reads all the time, until it is told to leave."""

    def __init__(self, port: int) -> None:
        self.session = stay(port)
        self.sent = 0
        self.received: list[bytes] = []
        self.handled = b""
        self._threads = [threading.Thread(target=each) for each in (self._send, self._read)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        while not self.session.is_going_away:
            self.session.send(b"%d" % self.sent)
            self.sent += 1
            self.session.drain(timeout=TIMEOUT)

    def _read(self) -> None:
        self._threads[0].join(0.05)
        while self._threads[0].is_alive() or len(self.received) < self.sent:
            self.received.append(self.session.recv(timeout=TIMEOUT))
        self.handled = self.session.close()

    def check(self) -> None:
        """Check that nothing was lost, in either direction."""
        for thread in self._threads:
            thread.join(TIMEOUT)
        assert self.received == [b"%d" % number for number in range(self.sent)]
        assert self.handled == b"%d" % self.sent
        assert self.session.wait_closed(timeout=TIMEOUT).ok


def test_under_load_nothing_is_lost(start: Start) -> None:
    server, port = start("echo", 60.0)
    players = [Player(port) for _ in range(5)]
    eventually(lambda: all(len(player.received) > 50 for player in players), TIMEOUT)
    terminate(server)
    for player in players:
        player.check()
    check_over(server)


def test_without_clients(start: Start) -> None:
    """At once after the port is open, too."""
    server, _ = start("echo", 1000.0)
    terminate(server)
    check_over(server)


def test_handlers_that_block(start: Start) -> None:
    server, port = start("block", 0.2)
    with stay(port) as client:
        client.send(b"not read")
        terminate(server)
        assert list(client) == []
        end = client.wait_closed
        client.close()
        assert end(timeout=TIMEOUT).reason is CloseReason.SERVER_SHUTTING_DOWN
    check_over(server, 20.0 * PATIENCE)


def test_a_second_signal_ends_the_waiting(start: Start) -> None:
    server, port = start("echo", 1000.0)
    with ExitStack() as stack:
        clients = [stack.enter_context(stay(port)) for _ in range(3)]
        terminate(server)
        eventually(lambda: all(client.is_going_away for client in clients))
        clients[0].send(b"still served")
        assert clients[0].recv(timeout=TIMEOUT) == b"still served"
        terminate(server)
        for client in clients:
            assert list(client) == []
    for client in clients:
        assert str(client.wait_closed(timeout=TIMEOUT)) == "closed by the peer, SERVER_SHUTTING_DOWN, 1000: bye"
    check_over(server)


def test_a_client_that_never_answers(start: Start) -> None:
    """The deadline and the time for a goodbye bound how long the process lives."""
    server, port = start("echo", 0.2)
    with gns.connect("127.0.0.1", port) as raw:
        raw.send(HELLO.encode())
        assert isinstance(decode(raw.recv(timeout=TIMEOUT)), Welcome)
        raw.send(Confirm(1).encode())
        raw.recv(timeout=TIMEOUT)
        terminate(server)
        check_over(server, 20.0 * PATIENCE)
