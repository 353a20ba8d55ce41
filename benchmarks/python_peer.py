"""The benchmark's subject: the same peers as in core_peer.cpp, through gns_py.sync.

Usage: python_peer.py serve | round_trip PORT COUNT SIZE | one_way PORT COUNT SIZE RELIABLE
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from contextlib import suppress

import gns_py.sync as gns

RATE = int(os.environ["BENCH_RATE"])
CONFIG = gns.Config(
    send_rate_min=RATE,
    send_rate_max=RATE,
    send_buffer_size=32 << 20,
    recv_queue_bytes=1 << 29,
    recv_queue_messages=1 << 22,
    max_unacked_segments=32768,
)
BATCH = 256


def serve() -> None:
    with gns.listen("127.0.0.1", 0, config=CONFIG) as socket:
        print(socket.address.port, flush=True)
        while True:
            with socket.accept() as connection, suppress(gns.ConnectionClosed):
                handle(connection)


def handle(connection: gns.Connection) -> None:
    """The first message says what to do with the others: E echo them, S count them; F asks for the sum."""
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
    data = b"x" * size
    times: list[float] = []
    with gns.connect("127.0.0.1", port, config=CONFIG) as connection:
        connection.send(b"E")
        for turn in range(-count // 10, count):  # the first ones warm up
            begin = time.perf_counter()
            connection.send(data, nagle=False)
            connection.recv(20.0)
            if turn >= 0:
                times.append((time.perf_counter() - begin) * 1e6)
    times.sort()
    print(
        json.dumps({name: times[int(share * count)] for name, share in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)]})
    )


def one_way(port: int, count: int, size: int, reliable: bool) -> None:
    batch = [b"x" * size] * BATCH
    with gns.connect("127.0.0.1", port, config=CONFIG) as connection:
        connection.send(b"S")
        cpu = time.process_time()
        sent = 0
        while sent < count:
            try:
                sent += len(connection.send_many(batch[: count - sent], reliable=reliable))
            except gns.SendQueueFull as full:  # noqa: PERF203 - what every sender has to do
                sent += full.sent
                connection.drain(20.0)
        connection.send(b"F", nagle=False)
        received, seconds, receiver_cpu = struct.unpack("3d", connection.recv(20.0))
        result = {"received": received, "seconds": seconds, "receiver_cpu": receiver_cpu}
        print(json.dumps(result | {"sender_cpu": time.process_time() - cpu}))


def main() -> None:
    what, *numbers = sys.argv[1:]
    match what, [int(number) for number in numbers]:
        case "serve", []:
            serve()
        case "round_trip", [port, count, size]:
            round_trip(port, count, size)
        case "one_way", [port, count, size, reliable]:
            one_way(port, count, size, bool(reliable))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
