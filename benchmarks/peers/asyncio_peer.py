"""The benchmark's peers, like those in core_peer.cpp and core_world.cpp, with gns_py.asyncio.

Usage: -m peers.asyncio_peer asyncio|uvloop connection|session COMMAND ...: the commands of sync_peer.py, but the
styles of world are poll_group|handlers.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from contextlib import suppress
from types import ModuleType

import uvloop
from peers.common import BATCH, WORLD_SIZE, Counter, RoundTrips, Sender, Ticks, run, say
from peers.config import CONFIG

import gns_py.asyncio as gns
import gns_py.session.asyncio

Link = gns.Connection | gns_py.session.asyncio.Session
# The command line chooses it.
module: ModuleType = gns


async def serve() -> None:
    """Handle one connection after the other."""
    async with module.listen("127.0.0.1", 0, config=CONFIG, limits=None) as socket:
        say(str(socket.address.port))
        while True:
            async with await socket.accept() as link:
                with suppress(gns.ConnectionClosed, gns_py.session.asyncio.SessionClosed):
                    await handle(link)


async def handle(link: Link) -> None:
    """Handle messages as the first one says: E echoes them, S counts them until F asks for the sum."""
    if await link.recv() == b"E":
        while True:
            link.send(await link.recv(), nagle=False)
    counter = Counter()
    while True:
        messages = await link.recv_many()
        counter.count += len(messages)
        if len(messages[-1].data) == 1:
            counter.count -= 1
            link.send(counter.sum(), nagle=False)


async def round_trip(port: int, count: int, size: int) -> None:
    """Measure round trips, one at a time."""
    data = b"x" * size
    trips = RoundTrips(count)
    async with module.connect("127.0.0.1", port, config=CONFIG) as link:
        link.send(b"E")
        for turn in trips.turns:
            begin = time.perf_counter()
            link.send(data, nagle=False)
            await link.recv()
            trips.note(turn, begin)
        trips.report()


async def one_way(port: int, count: int, size: int, reliable: int) -> None:
    """Measure the throughput of messages in batches."""
    batch = [b"x" * size] * BATCH
    async with module.connect("127.0.0.1", port, config=CONFIG) as link:
        link.send(b"S")
        sender = Sender()
        sent = 0
        while sent < count:
            try:
                sent += len(link.send_many(batch[: count - sent], reliable=bool(reliable)))
            except gns.SendQueueFull as full:  # noqa: PERF203 - every sender has to do this
                sent += full.sent
                await link.drain()
        link.send(b"F", nagle=False)
        sender.report(await link.recv())


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


async def world(players: str, rate: str, ticks: str, style: str) -> None:
    server = World(int(players))
    await (server.with_poll_group if style == "poll_group" else server.with_handlers)(int(rate), int(ticks))


def main() -> None:
    global module
    loop, kind, *rest = sys.argv[1:]
    module = {"connection": gns, "session": gns_py.session.asyncio}[kind]
    runner = {"asyncio": asyncio.run, "uvloop": uvloop.run}[loop]
    runner(world(*rest[1:]) if rest[0] == "world" else run(rest, serve=serve, round_trip=round_trip, one_way=one_way))


if __name__ == "__main__":
    main()
