"""Small messages, by nagle_time: their latency, their packets and their cost."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from multiprocessing.connection import Connection as Pipe

from options.harness import STAMP, Row, listening, percentile, process, table

import gns_py.sync as gns
from gns_py import Config


def totals(connection: gns.Connection) -> tuple[int, int]:
    """Return the packets and bytes that a connection has sent, which GNS reports only in its text."""
    match = re.search(r"Totals\s+Sent:\s+([\d,]+) pkts\s+([\d,]+) bytes", connection.details())
    assert match
    return int(match[1].replace(",", "")), int(match[2].replace(",", ""))


def small_messages(config: Config) -> Row:
    """Send a small message every 2 ms. Return a row of latencies, packets per message and CPU time."""
    count = 1000
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        pipe, _ = stack.enter_context(process(collect, listener.address.port, count))
        connection = stack.enter_context(listener.accept(20.0))
        cpu = time.process_time()
        begin = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begin + 0.002 * number - time.monotonic()))
            connection.send(STAMP.pack(time.monotonic()))
        latencies = pipe.recv()
        cpu = time.process_time() - cpu
        packets = totals(connection)[0]
    return [
        f"{1000 * percentile(latencies, 0.5):.1f} ms",
        f"{1000 * percentile(latencies, 0.99):.1f} ms",
        f"{packets / count:.2f}",
        f"{1e6 * cpu / count:.0f} us",
    ]


def collect(pipe: Pipe, port: int, count: int) -> None:
    latencies = []
    with gns.connect("127.0.0.1", port) as connection:
        for _ in range(count):
            data = connection.recv(20.0)
            latencies.append(time.monotonic() - STAMP.unpack(data)[0])
        pipe.send(latencies)
        pipe.poll(20.0)


def nagle(_: bool) -> None:
    """Measure small messages, by nagle_time."""
    times = (0, 500, 1000, 2000, 5000, 10000)
    table(
        "Nagle: a small message every 2 ms over loopback, by nagle_time",
        "nagle_time,latency p50,p99,packets per message,CPU of the sender per message",
        ([f"{microseconds} us", *small_messages(Config(nagle_time=microseconds))] for microseconds in times),
    )
