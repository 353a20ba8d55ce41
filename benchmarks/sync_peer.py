"""The benchmark's peers, like those in core_peer.cpp and core_world.cpp, with gns_py.sync.

Usage: sync_peer.py serve | round_trip PORT COUNT SIZE | one_way PORT COUNT SIZE RELIABLE
       | world PLAYERS RATE TICKS as_it_comes|once_a_tick|in_a_thread
"""

from __future__ import annotations

import struct
import sys
import threading
import time
from contextlib import suppress

from common import BATCH, CONFIG, WORLD_SIZE, RoundTrips, Ticks, say

import gns_py.sync as gns


def serve() -> None:
    """Handle one connection after the other."""
    with gns.listen("127.0.0.1", 0, config=CONFIG, limits=None) as socket:
        say(str(socket.address.port))
        while True:
            with socket.accept() as connection, suppress(gns.ConnectionClosed):
                handle(connection)


def handle(connection: gns.Connection) -> None:
    """Handle messages as the first one says: E echoes them, S counts them until F asks for the sum."""
    if connection.recv() == b"E":
        while True:
            connection.send(connection.recv(), nagle=False)
    count, begin, cpu = 0, time.perf_counter(), time.process_time()
    while True:
        messages = connection.recv_many()
        count += len(messages)
        if len(messages[-1].data) == 1:
            result = (count - 1, time.perf_counter() - begin, time.process_time() - cpu)
            connection.send(struct.pack("3d", *result), nagle=False)


def round_trip(port: int, count: int, size: int) -> None:
    """Measure round trips, one at a time."""
    data = b"x" * size
    trips = RoundTrips(count)
    with gns.connect("127.0.0.1", port, config=CONFIG) as connection:
        connection.send(b"E")
        for turn in trips.turns:
            begin = time.perf_counter()
            connection.send(data, nagle=False)
            connection.recv(20.0)
            trips.note(turn, begin)
    trips.report()


def one_way(port: int, count: int, size: int, reliable: bool) -> None:
    """Measure the throughput of messages in batches."""
    batch = [b"x" * size] * BATCH
    with gns.connect("127.0.0.1", port, config=CONFIG) as connection:
        connection.send(b"S")
        cpu = time.process_time()
        sent = 0
        while sent < count:
            try:
                sent += len(connection.send_many(batch[: count - sent], reliable=reliable))
            except gns.SendQueueFull as full:  # noqa: PERF203 - every sender has to do this
                sent += full.sent
                connection.drain(20.0)
        connection.send(b"F", nagle=False)
        received, seconds, receiver_cpu = struct.unpack("3d", connection.recv(20.0))
        result = {"received": received, "seconds": seconds, "receiver_cpu": receiver_cpu}
        say(result | {"sender_cpu": time.process_time() - cpu})


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


def main() -> None:
    what, *rest = sys.argv[1:]
    match what, rest:
        case "serve", []:
            serve()
        case "round_trip", [port, count, size]:
            round_trip(int(port), int(count), int(size))
        case "one_way", [port, count, size, reliable]:
            one_way(int(port), int(count), int(size), bool(int(reliable)))
        case "world", [players, rate, ticks, "in_a_thread"]:
            threading.Thread(target=World().run, args=(int(players), int(rate), int(ticks), True)).start()
        case "world", [players, rate, ticks, style]:
            World().run(int(players), int(rate), int(ticks), style == "as_it_comes")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
