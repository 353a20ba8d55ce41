"""Loops that serve GNS: blocked by the application, several at once, along with threads that wait. See serving.md."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable

from support import PATIENCE, Peer
from support.loops import LOOPS, Runner, new_loop, run_in

import gns_py.asyncio as gns
from gns_py import sync
from gns_py.sync import Connection

PEER = """
    import sys
    import gns_py.sync as gns

    with gns.connect("127.0.0.1", int(sys.argv[1])) as connection:
        for _ in range(3):
            connection.send(b"question")
            assert connection.recv(timeout=30.0) == b"answer"
        for number in range(50):
            connection.send(bytes(1000))
        connection.drain(timeout=30.0)
        print("acknowledged")
        assert connection.recv(timeout=30.0) == b"from another thread"
        print("received")
        sys.stdin.readline()
"""


async def answer(connection: gns.Connection) -> None:
    """Answer the peer's questions, so that the loop serves from then on."""
    for _ in range(3):
        assert await connection.recv() == b"question"
        connection.send(b"answer")


def test_a_blocked_loop_is_stood_in_for(run: Runner, peer: Callable[..., Peer]) -> None:
    """The application keeps the loop busy until a peer's messages are acknowledged and it got one of another thread."""

    async def main() -> None:
        async with gns.listen("127.0.0.1", 0) as listener:
            program = peer(PEER, listener.address.port)
            async with await listener.accept() as connection:
                await answer(connection)
                assert program.line(10.0 * PATIENCE) == "acknowledged"
                thread = threading.Thread(target=connection.send, args=(b"from another thread",))
                thread.start()
                thread.join()
                assert program.line(10.0 * PATIENCE) == "received"
                assert [await connection.recv() for _ in range(50)] == [bytes(1000)] * 50
                program.say("")
                await connection.wait_closed()

    run(main, debug=False)


def test_a_message_from_the_loop_leaves_although_it_is_blocked(run: Runner, peer: Callable[..., Peer]) -> None:
    async def main() -> None:
        async with gns.listen("127.0.0.1", 0) as listener:
            program = peer(PEER, listener.address.port)
            async with await listener.accept() as connection:
                await answer(connection)
                connection.send(b"from another thread")  # the loop's
                assert program.line(10.0 * PATIENCE) == "acknowledged"
                assert program.line(10.0 * PATIENCE) == "received"
                program.say("")

    run(main, debug=False)


async def echo(connection: gns.Connection) -> None:
    async for data in connection:
        connection.send(data)


async def ask(port: int, count: int) -> None:
    async with gns.connect("127.0.0.1", port) as client:
        for number in range(count):
            client.send(b"%d" % number)
            assert await client.recv() == b"%d" % number
            if number % 50 == 0:
                await asyncio.sleep(0.01)


def test_loops_and_threads_at_once() -> None:
    """Each serves when it is alone, and leaves it to the core's thread when it is not."""
    failures: list[BaseException] = []

    def ask_in_a_loop(kind: str, port: int) -> None:
        run_in(new_loop(kind), lambda: ask(port, 100), debug=False)

    def ask_in_a_thread(_: str, port: int) -> None:
        with sync.connect("127.0.0.1", port) as client:
            for number in range(100):
                client.send(b"%d" % number)
                assert client.recv(timeout=20.0 * PATIENCE) == b"%d" % number

    async def serve() -> None:
        async with gns.serve(echo, "127.0.0.1", 0) as server:

            def run(work: Callable[[str, int], None], kind: str) -> None:
                try:
                    work(kind, server.address.port)
                except BaseException as error:
                    failures.append(error)

            jobs = [(ask_in_a_loop, kind) for kind in LOOPS] + [(ask_in_a_thread, "")] * 2
            await asyncio.gather(*(asyncio.to_thread(run, *job) for job in jobs))
            await asyncio.to_thread(run, *jobs[0])  # one alone

    asyncio.run(serve())
    gc.collect()
    assert not failures


def test_a_thread_serves_before_and_after_a_loop(run: Runner, pair: tuple[Connection, Connection]) -> None:
    client, server = pair

    async def main() -> None:
        async with gns.serve(echo, "127.0.0.1", 0) as echoing:
            await ask(echoing.address.port, 20)

    def exchange() -> None:
        for _ in range(20):
            client.send(b"x")
            assert server.recv(timeout=10.0) == b"x"

    exchange()
    run(main)
    exchange()
