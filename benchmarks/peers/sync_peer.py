"""The benchmark's peers, like those in core_peer.cpp and core_world.cpp, with gns_py.sync or gns_py.session.sync.

Usage: -m peers.sync_peer connection|session serve | round_trip PORT COUNT SIZE | one_way PORT COUNT SIZE RELIABLE
       -m peers.sync_peer connection world PLAYERS RATE TICKS as_it_comes|once_a_tick|in_a_thread
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from types import ModuleType

from peers.common import BATCH, WORLD_SIZE, Counter, RoundTrips, Sender, Ticks, run, say
from peers.config import CONFIG

import gns_py.session.sync
import gns_py.sync as gns

Link = gns.Connection | gns_py.session.sync.Session
# The command line chooses it.
module: ModuleType = gns


def serve() -> None:
    """Handle one connection after the other."""
    with module.listen("127.0.0.1", 0, config=CONFIG, limits=None) as socket:
        say(str(socket.address.port))
        while True:
            with socket.accept() as link, suppress(gns.ConnectionClosed, gns_py.session.sync.SessionClosed):
                handle(link)


def handle(link: Link) -> None:
    """Handle messages as the first one says: E echoes them, S counts them until F asks for the sum."""
    if link.recv() == b"E":
        while True:
            link.send(link.recv(), nagle=False)
    counter = Counter()
    while True:
        messages = link.recv_many()
        counter.count += len(messages)
        if len(messages[-1].data) == 1:
            counter.count -= 1
            link.send(counter.sum(), nagle=False)


def round_trip(port: int, count: int, size: int) -> None:
    """Measure round trips, one at a time."""
    data = b"x" * size
    trips = RoundTrips(count)
    with module.connect("127.0.0.1", port, config=CONFIG) as link:
        link.send(b"E")
        for turn in trips.turns:
            begin = time.perf_counter()
            link.send(data, nagle=False)
            link.recv(20.0)
            trips.note(turn, begin)
        trips.report()


def one_way(port: int, count: int, size: int, reliable: int) -> None:
    """Measure the throughput of messages in batches."""
    batch = [b"x" * size] * BATCH
    with module.connect("127.0.0.1", port, config=CONFIG) as link:
        link.send(b"S")
        sender = Sender()
        sent = 0
        while sent < count:
            try:
                sent += len(link.send_many(batch[: count - sent], reliable=bool(reliable)))
            except gns.SendQueueFull as full:  # noqa: PERF203 - every sender has to do this
                sent += full.sent
                link.drain(20.0)
        link.send(b"F", nagle=False)
        sender.report(link.recv(20.0))


class World:
    """A server with a fixed rate."""

    def __init__(self) -> None:
        self.socket = gns.listen("127.0.0.1", 0, config=CONFIG, limits=None)
        self.worlds: dict[gns.Connection, bytes] = {}
        self.inputs: dict[gns.Connection, bytes] = {}
        self.count = 0
        self.joined = 0

    def receive(self, timeout: float | None) -> None:
        for event in self.socket.poll(timeout):
            match event:
                case gns.MessageReceived(connection, message):
                    self.inputs[connection] = message.data
                    self.count += 1
                case gns.ConnectionRequest():
                    self.worlds[event.accept()] = bytes(WORLD_SIZE)
                case gns.StatusChanged(_, _, gns.ConnectionState.CONNECTED):
                    self.joined += 1

    def run(self, players: int, rate: int, count: int, as_it_comes: bool) -> None:
        say(str(self.socket.address.port))
        while self.joined < players:
            self.receive(None)
        say({"joined": self.joined, "reader": threading.get_native_id()})
        if rate:
            self.tick(Ticks(rate, count), as_it_comes)
        while True:
            self.receive(None)

    def tick(self, ticks: Ticks, as_it_comes: bool) -> None:
        for tick in ticks.numbers:
            if tick == 0:
                say("begin")
                self.count = 0
            while (wait := ticks.remaining()) > 0:
                if as_it_comes:
                    self.receive(wait)
                else:
                    time.sleep(wait)
            if not as_it_comes:
                self.receive(0.0)
            for connection, world in self.worlds.items():
                connection.send(world, reliable=False, nagle=False)
            ticks.end(tick)
        ticks.report(self.count)


def world(players: str, rate: str, ticks: str, style: str) -> None:
    arguments = (int(players), int(rate), int(ticks), style != "once_a_tick")
    if style == "in_a_thread":
        threading.Thread(target=World().run, args=arguments).start()
    else:
        World().run(*arguments)


def main() -> None:
    global module
    kind, *rest = sys.argv[1:]
    module = {"connection": gns, "session": gns_py.session.sync}[kind]
    if rest[0] == "world":
        world(*rest[1:])
    else:
        run(rest, serve=serve, round_trip=round_trip, one_way=one_way)


if __name__ == "__main__":
    main()
