"""The memory of a connection at its bounds, by option."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection as Pipe

import psutil
from options.harness import MIB, apart, at, listening, presets, process, read, table

import gns_py.sync as gns
from gns_py import Config


def flood(pipe: Pipe, port: int, count: int, size: int) -> None:
    """Send more over `count` connections than a peer that does not read can hold, until all are closed."""
    batch = [bytes(size)] * 64
    connections = [gns.connect("127.0.0.1", port, config=at(4_000_000)) for _ in range(count)]
    while any(connection.end is None for connection in connections):
        for connection in connections:
            with suppress(gns.SendQueueFull, gns.ConnectionClosed):
                connection.send_many(batch)
            connection.poll()
        time.sleep(0.002)
    pipe.send("all closed")


def unread(config: Config, size: int) -> float:
    """Return the bytes per connection if no one reads it, up to the bound that closes it."""
    count = 10
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        pipe, _ = stack.enter_context(process(flood, listener.address.port, count, size))
        connections = [stack.enter_context(listener.accept(20.0)) for _ in range(count)]
        memory = psutil.Process().memory_info().rss
        peak = memory
        while not pipe.poll(0.01):
            peak = max(peak, psutil.Process().memory_info().rss)
        assert all(connection.wait_closed(1.0) for connection in connections)
        return (max(peak, psutil.Process().memory_info().rss) - memory) / count


def unsent(config: Config, size: int) -> float:
    """Return the bytes per connection if the peer does not acknowledge, with a full send queue."""
    count = 10
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        connections = []
        for _ in range(count):
            _, number = stack.enter_context(process(read, listener.address.port))
            connections.append(stack.enter_context(listener.accept(20.0)))
            os.kill(number, signal.SIGSTOP)
        memory = psutil.Process().memory_info().rss
        for connection in connections:
            with suppress(gns.SendQueueFull):
                while True:
                    connection.send_many([bytes(size)] * 64)
        time.sleep(1.0)
        result = (psutil.Process().memory_info().rss - memory) / count
        for connection in connections:
            connection.close(linger=False)
        return result


def memory(quick: bool) -> None:
    """Measure the memory of a connection at its bounds."""
    sizes = (16384,) if quick else (32, 1000, 16384)
    for what, measure in (("no one reads", unread), ("the peer does not acknowledge", unsent)):
        table(
            f"Memory of a connection at its bound, where {what}, by size of the messages",
            "config," + ",".join(f"{size} B" for size in sizes),
            (
                [name, *(f"{apart(measure, config, size) / MIB:.1f} MiB" for size in sizes)]
                for name, config in presets().items()
            ),
        )
