"""The benchmark's peers, like those in core_peer.cpp and core_world.cpp, with gns_py.asyncio.

Usage: asyncio_peer.py asyncio|uvloop serve | round_trip PORT COUNT SIZE | one_way PORT COUNT SIZE RELIABLE
       | world PLAYERS RATE TICKS poll_group|handlers
"""

from __future__ import annotations

import asyncio
import struct
import sys
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from common import BATCH, CONFIG, WORLD_SIZE, RoundTrips, Ticks, say

import gns_py.asyncio as gns


async def serve() -> None:
    """Handle one connection after the other."""
    async with gns.listen("127.0.0.1", 0, config=CONFIG, limits=None) as socket:
        say(str(socket.address.port))
        while True:
            async with await socket.accept() as connection:
                with suppress(gns.ConnectionClosed):
                    await handle(connection)


async def handle(connection: gns.Connection) -> None:
    """Handle messages as the first one says: E echoes them, S counts them until F asks for the sum."""
    if await connection.recv() == b"E":
        while True:
            connection.send(await connection.recv(), nagle=False)
    count, begin, cpu = 0, time.perf_counter(), time.process_time()
    while True:
        messages = await connection.recv_many()
        count += len(messages)
        if len(messages[-1].data) == 1:
            result = (count - 1, time.perf_counter() - begin, time.process_time() - cpu)
            connection.send(struct.pack("3d", *result), nagle=False)


async def round_trip(port: int, count: int, size: int) -> None:
    """Measure round trips, one at a time."""
    data = b"x" * size
    trips = RoundTrips(count)
    async with gns.connect("127.0.0.1", port, config=CONFIG) as connection:
        connection.send(b"E")
        for turn in trips.turns:
            begin = time.perf_counter()
            connection.send(data, nagle=False)
            await connection.recv()
            trips.note(turn, begin)
    trips.report()


async def one_way(port: int, count: int, size: int, reliable: bool) -> None:
    """Measure the throughput of messages in batches."""
    batch = [b"x" * size] * BATCH
    async with gns.connect("127.0.0.1", port, config=CONFIG) as connection:
        connection.send(b"S")
        cpu = time.process_time()
        sent = 0
        while sent < count:
            try:
                sent += len(connection.send_many(batch[: count - sent], reliable=reliable))
            except gns.SendQueueFull as full:  # noqa: PERF203 - every sender has to do this
                sent += full.sent
                await connection.drain()
        connection.send(b"F", nagle=False)
        received, seconds, receiver_cpu = struct.unpack("3d", await connection.recv())
        result = {"received": received, "seconds": seconds, "receiver_cpu": receiver_cpu}
        say(result | {"sender_cpu": time.process_time() - cpu})


class World:
    """A server with a fixed rate."""

    def __init__(self, players: int) -> None:
        self.players = players
        self.worlds: dict[gns.Connection, bytes] = {}
        self.inputs: dict[gns.Connection, bytes] = {}
        self.count = 0
        self.joined = 0
        self.all_joined = asyncio.Event()

    async def with_poll_group(self, rate: int, count: int) -> None:
        group = gns.PollGroup()
        async with gns.listen(
            "127.0.0.1", 0, config=CONFIG, limits=None, on_status_changed=self.status_changed
        ) as socket:
            accepting = asyncio.ensure_future(self.accept(socket, group))
            reading = asyncio.ensure_future(self.read(group))
            await self.run(socket.address.port, rate, count)
            await asyncio.wait([accepting, reading], return_when=asyncio.FIRST_COMPLETED)

    async def accept(self, socket: gns.ListenSocket, group: gns.PollGroup) -> None:
        async for request in socket:
            connection = request.accept()
            self.worlds[connection] = bytes(WORLD_SIZE)
            group.add(connection)

    async def read(self, group: gns.PollGroup) -> None:
        while True:
            for event in await group.poll():
                if isinstance(event, gns.MessageReceived):
                    self.inputs[event.connection] = event.message.data
                    self.count += 1

    async def with_handlers(self, rate: int, count: int) -> None:
        async with gns.serve(
            self.handle, "127.0.0.1", 0, config=CONFIG, limits=None, on_status_changed=self.status_changed
        ) as server:
            await self.run(server.address.port, rate, count)
            await server.wait_closed()

    async def handle(self, connection: gns.Connection) -> None:
        self.worlds[connection] = bytes(WORLD_SIZE)
        async for data in connection:
            self.inputs[connection] = data
            self.count += 1

    def status_changed(self, event: gns.StatusChanged[gns.Connection]) -> None:
        self.joined += event.new is gns.ConnectionState.CONNECTED
        if self.joined == self.players:
            self.all_joined.set()

    async def run(self, port: int, rate: int, count: int) -> None:
        say(str(port))
        await self.all_joined.wait()
        say({"joined": self.joined, "reader": threading.get_native_id()})
        if not rate:
            return
        ticks = Ticks(rate, count)
        for tick in ticks.numbers:
            if tick == 0:
                say("begin")
                self.count = 0
            await asyncio.sleep(max(0.0, ticks.remaining()))
            for connection, world in self.worlds.items():
                connection.send(world, reliable=False, nagle=False)
            ticks.end(tick)
        ticks.report(self.count)


async def world(players: int, rate: int, ticks: int, style: str) -> None:
    server = World(players)
    await (server.with_poll_group if style == "poll_group" else server.with_handlers)(rate, ticks)


def run(loop: str, main: Coroutine[Any, Any, None]) -> None:
    if loop == "uvloop":
        import uvloop

        uvloop.run(main)
    else:
        asyncio.run(main)


def main() -> None:
    loop, what, *rest = sys.argv[1:]
    match what, rest:
        case "serve", []:
            run(loop, serve())
        case "round_trip", [port, count, size]:
            run(loop, round_trip(int(port), int(count), int(size)))
        case "one_way", [port, count, size, reliable]:
            run(loop, one_way(int(port), int(count), int(size), bool(int(reliable))))
        case "world", [players, rate, ticks, style]:
            run(loop, world(int(players), int(rate), int(ticks), style))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
