"""The benchmark's peers with pyenet, the binding of ENet: reliable messages in order, one channel.

Usage: -m peers.enet_peer serve | round_trip PORT COUNT SIZE | one_way PORT COUNT SIZE RELIABLE
"""

from __future__ import annotations

import sys
import time

import enet
from peers.common import BATCH, RoundTrips, Sender, Service, run, say

PATIENCE = 20_000  # ms
ENDLESS = 1 << 30  # ms


def serve() -> None:
    host = open_host()
    service = Service()
    while True:
        event = host.service(ENDLESS)
        if event.type == enet.EVENT_TYPE_CONNECT:
            service = Service()
        elif event.type == enet.EVENT_TYPE_RECEIVE and (answer := service.answer(event.packet.data)):
            send(event.peer, answer)


def open_host() -> enet.Host:
    """Open a free port and print it. ENet does not tell which one it got when asked for any."""
    for port in range(31500, 32500):
        try:
            host = enet.Host(enet.Address(b"127.0.0.1", port), 8, 1, 0, 0)
        except MemoryError:  # what it raises for a port that is taken
            continue
        say(str(port))
        return host
    sys.exit("no port is free")


def send(peer: enet.Peer, data: bytes) -> None:
    peer.send(0, enet.Packet(data, enet.PACKET_FLAG_RELIABLE))


def connect(port: int) -> tuple[enet.Host, enet.Peer]:
    host = enet.Host(None, 1, 1, 0, 0)
    peer = host.connect(enet.Address(b"127.0.0.1", port), 1)
    while host.service(PATIENCE).type != enet.EVENT_TYPE_CONNECT:
        pass
    return host, peer


def receive(host: enet.Host) -> bytes:
    while (event := host.service(PATIENCE)).type != enet.EVENT_TYPE_RECEIVE:
        if event.type != enet.EVENT_TYPE_CONNECT:
            sys.exit(f"no answer, but event {event.type}")
    data: bytes = event.packet.data
    return data


def round_trip(port: int, count: int, size: int) -> None:
    data = b"x" * size
    trips = RoundTrips(count)
    host, peer = connect(port)
    send(peer, b"E")
    for turn in trips.turns:
        begin = time.perf_counter()
        send(peer, data)
        receive(host)
        trips.note(turn, begin)
    trips.report()


def one_way(port: int, count: int, size: int, _reliable: int) -> None:
    data = b"x" * size
    host, peer = connect(port)
    send(peer, b"S")
    sender = Sender()
    for begin in range(0, count, BATCH):
        for _ in range(min(BATCH, count - begin)):
            send(peer, data)
        host.service(0)
        while peer.reliableDataInTransit >= peer.windowSize // 2:
            host.service(1)
    send(peer, b"F")
    sender.report(receive(host))


if __name__ == "__main__":
    run(sys.argv[1:], serve=serve, round_trip=round_trip, one_way=one_way)
