"""Compare sessions with raw connections in turns: processor time per message, as median and middle half of rounds.

game: 50 clients send 64 B 30 times a second, and the server answers each with 200 B, reliably; time of the server.
flood: 32 B messages, as fast as one connection accepts them; time of both ends.
bytes: the size of a session's header of a message.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from types import ModuleType

import gns_py.asyncio
import gns_py.session.asyncio
import gns_py.session.sync
import gns_py.sync
from gns_py import Config
from gns_py.session.protocol.frames import Data

KINDS: dict[str, dict[str, ModuleType]] = {
    "sync": {"connection": gns_py.sync, "session": gns_py.session.sync},
    "asyncio": {"connection": gns_py.asyncio, "session": gns_py.session.asyncio},
}
CLIENTS, RATE = 50, 30
FLOOD = 100_000
FAST = Config(
    send_rate_min=30_000_000,
    send_rate_max=30_000_000,
    send_buffer_size=4 << 20,
    max_unacked_segments=60_000,
    # On a busy machine the reader of a connection may be a whole flood behind, and that is not what is measured.
    recv_queue_messages=2 * FLOOD,
)
ANSWER = bytes(200)


def serve(pipe: Pipe, api: str, kind: str, answers: bool) -> None:
    """Run the server: answer each message, or the last of a flood, and report the processor time when asked."""
    gns = KINDS[api][kind]

    def handle(connection: gns_py.sync.Connection) -> None:
        for count, _ in enumerate(connection, 1):
            if answers or count == FLOOD:
                connection.send(ANSWER)

    async def handle_async(connection: gns_py.asyncio.Connection) -> None:
        count = 0
        async for _ in connection:
            count += 1
            if answers or count == FLOOD:
                connection.send(ANSWER)

    def tell(port: int) -> None:
        pipe.send(port)
        while pipe.recv():
            pipe.send(time.process_time())

    async def run() -> None:
        async with gns.serve(handle_async, "127.0.0.1", 0, config=FAST, limits=None) as server:
            await asyncio.to_thread(tell, server.address.port)

    if api == "asyncio":
        asyncio.run(run())
    else:
        with gns.serve(handle, "127.0.0.1", 0, config=FAST, limits=None) as server:
            tell(server.address.port)


async def play(port: int, kind: str, seconds: float, ask: Callable[[], float]) -> float:
    """Return microseconds of the server's processor time for each message that it receives and answers."""
    gns = KINDS["asyncio"][kind]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(gns.connect("127.0.0.1", port, config=FAST)) for _ in range(CLIENTS)]

        async def client(number: int, connection: gns_py.asyncio.Connection) -> None:
            begin = time.monotonic() + number / CLIENTS / RATE
            for turn in range(int(seconds * RATE)):
                await asyncio.sleep(max(0.0, begin + turn / RATE - time.monotonic()))
                connection.send(bytes(64))
                await connection.recv()

        before = ask()
        await asyncio.gather(*(client(number, connection) for number, connection in enumerate(clients)))
        return (ask() - before) / (CLIENTS * int(seconds * RATE)) * 1e6


def flood(port: int, kind: str, ask: Callable[[], float]) -> float:
    """Return microseconds of both ends' processor time per message."""
    with ExitStack() as stack:
        connection = stack.enter_context(KINDS["sync"][kind].connect("127.0.0.1", port, config=FAST))
        before = ask() + time.process_time()
        data = bytes(32)
        for number in range(FLOOD):
            if number % 256 == 0:
                connection.drain()
            connection.send(data)
        connection.recv(60.0)
        return (ask() + time.process_time() - before) / FLOOD * 1e6


def measure(part: str, api: str, kind: str, seconds: float) -> float:
    processes = get_context("spawn")
    ours, theirs = processes.Pipe()
    server = processes.Process(target=serve, args=(theirs, api, kind, part == "game"))
    server.start()

    def ask() -> float:
        ours.send(True)
        return float(ours.recv())

    try:
        port = ours.recv()
        return asyncio.run(play(port, kind, seconds, ask)) if part == "game" else flood(port, kind, ask)
    finally:
        ours.send(False)
        server.join()


def main() -> None:
    rounds, seconds = (1, 1.0) if "--quick" in sys.argv else (9, 4.0)
    print("| part | server | connection, us | session, us | more, of each round |\n|---|---|---:|---:|---:|")
    for part in ("game", "flood"):
        for api in KINDS:
            results: dict[str, list[float]] = {"connection": [], "session": []}
            for number in range(rounds):
                for kind in sorted(results, reverse=bool(number % 2)):
                    results[kind].append(measure(part, api, kind, seconds))
            raw, session = (statistics.median(column) for column in results.values())
            more = sorted(theirs / ours - 1 for ours, theirs in zip(*results.values(), strict=True))
            spread = f"{more[rounds // 4]:+.0%} to {more[-1 - rounds // 4]:+.0%}"
            print(
                f"| {part} | {api} | {raw:.1f} | {session:.1f} | {statistics.median(more):+.0%} ({spread}) |",
                flush=True,
            )
    sizes = ", ".join(
        f"{len(Data(number, b'').encode())} at message {number:,}" for number in (1, 1_000, 1_000_000, 1 << 34)
    )
    print(f"\nBytes before a reliable message: {sizes}; before an unreliable one: 1.")


if __name__ == "__main__":
    main()
