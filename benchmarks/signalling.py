"""Measure a signalling server, in a process of its own, with 200 peers in 50 rooms: processor time, memory, delays.

All peers run in the process that measures. Each phase begins when the one before has ended:
log in and join a room of four; do nothing; set up all connections within each room at once (7 signals of 300 bytes for
each pair); send 5 signals a second each.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import psutil

from gns_py import Identity
from gns_py.p2p.signalling import Room, WebSocketSignalling

SERVER = """
import asyncio
from gns_py.p2p.signalling import SignallingLimits, SignallingServer

async def main():
    # All come from one address.
    limits = SignallingLimits(connect_burst=100_000)
    async with SignallingServer(lambda token: f"str:{token}", limits=limits) as server:
        print((await server.listen("127.0.0.1", 0))[0][1], flush=True)
        await server.serve_forever()

asyncio.run(main())
"""
ROOM_SIZE = 4
SIGNALS_OF_A_PAIR = 7
SIGNAL_SIZE = 300
RATE = 5.0


class Peer(NamedTuple):
    """A peer and its room."""

    signalling: WebSocketSignalling
    room: Room


class Row(NamedTuple):
    """The cost of a phase."""

    phase: str
    seconds: float
    cpu: float
    """Seconds of processor time of the server."""
    signals: int
    delays: list[float]

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table."""
        each = f"{1e6 * self.cpu / self.signals:.0f} µs" if self.signals else ""
        p50, p99 = "", ""
        if len(self.delays) > 1:
            cuts = statistics.quantiles(self.delays, n=100)
            p50, p99 = f"{1e3 * cuts[49]:.2f} ms", f"{1e3 * cuts[98]:.2f} ms"
        return self.phase, f"{self.seconds:.1f} s", f"{100 * self.cpu / self.seconds:.1f} %", each, p50, p99


class Bench:
    """A server's process, and its peers."""

    def __init__(self, port: int, process: psutil.Process, count: int) -> None:
        self._url = f"ws://127.0.0.1:{port}"
        self._process = process
        self._count = count
        self._delays: list[float] = []
        self.memory: list[int] = []

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @contextlib.asynccontextmanager
    async def phase(self, rows: list[Row], name: str) -> AsyncIterator[None]:
        """Measure what is done in the block."""
        self._delays = []
        begun, cpu = time.perf_counter(), self._cpu()
        yield
        signals = len(self._delays)
        rows.append(Row(name, time.perf_counter() - begun, self._cpu() - cpu, signals, self._delays))
        self.memory.append(self._process.memory_info().rss)

    async def log_in(self, stack: contextlib.AsyncExitStack) -> list[Peer]:
        """Return all peers, each in its room."""
        peers = []
        for number in range(self._count):
            signalling = await stack.enter_async_context(WebSocketSignalling(self._url, token=f"peer {number}"))
            room = await signalling.join(f"room {number // ROOM_SIZE}", create=True, capacity=ROOM_SIZE)
            peers.append(Peer(signalling, room))
        return peers

    async def receive(self, peer: Peer) -> None:
        """Note how long each signal took."""
        async for signal in peer.signalling:
            self._delays.append(time.perf_counter() - struct.unpack("d", signal.data[:8])[0])

    @staticmethod
    async def send(peer: Peer, to: Identity) -> None:
        """Send a signal with the time."""
        await peer.signalling.send(to, struct.pack("d", time.perf_counter()) + bytes(SIGNAL_SIZE - 8))

    async def set_up_all(self, peers: list[Peer]) -> None:
        """Send what all pairs of a room need to connect, in both directions, and wait until it has arrived."""
        expected = 0
        for turn in range(SIGNALS_OF_A_PAIR):
            for peer in peers:
                for other in peer.room.others:
                    if (str(peer.signalling.identity) < str(other)) == (turn % 2 == 0):
                        await self.send(peer, other)
                        expected += 1
            while len(self._delays) < expected:
                await asyncio.sleep(0.001)

    async def talk(self, peers: list[Peer], seconds: float) -> None:
        """Let each peer send to the others in turn."""
        others = {id(peer): itertools.cycle(peer.room.others) for peer in peers}
        pause = 1 / RATE / len(peers)
        due = time.perf_counter()
        for peer in itertools.islice(itertools.cycle(peers), int(seconds * RATE * len(peers))):
            await self.send(peer, next(others[id(peer)]))
            due += pause
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await asyncio.sleep(0.2)


async def measure(bench: Bench, seconds: float) -> list[Row]:
    """Return the cost of each phase."""
    rows: list[Row] = []
    async with contextlib.AsyncExitStack() as stack:
        async with bench.phase(rows, "log in and join"):
            peers = await bench.log_in(stack)
        receiving = [asyncio.ensure_future(bench.receive(peer)) for peer in peers]
        async with bench.phase(rows, "nothing"):
            await asyncio.sleep(seconds)
        async with bench.phase(rows, "set up all connections"):
            await bench.set_up_all(peers)
        async with bench.phase(rows, f"{RATE:g} signals a second each"):
            await bench.talk(peers, seconds)
        await asyncio.gather(*(peer.signalling.aclose() for peer in peers))
        await asyncio.gather(*receiving)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer peers, for a first impression")
    options = parser.parse_args()
    count, seconds = (20, 1.0) if options.quick else (200, 20.0)
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            port = int(server.stdout.readline())
            process = psutil.Process(server.pid)
            empty = process.memory_info().rss
            bench = Bench(port, process, count)
            rows = asyncio.run(measure(bench, seconds))
        finally:
            server.kill()
    print(f"| {count} peers in {count // ROOM_SIZE} rooms | time | CPU of the server | CPU of a signal | p50 | p99 |")
    print("|---|---:|---:|---:|---:|---:|")
    for row in rows:
        print(f"| {' | '.join(row.cells())} |")
    grown = max(bench.memory) - empty
    print(f"\nMemory of the server: {empty / 2**20:.0f} MiB, and {grown / 2**10 / count:.0f} KiB for each peer.")


if __name__ == "__main__":
    main()
