"""The common part of these measurements: tables, options, processes and listen sockets."""

from __future__ import annotations

import logging
import multiprocessing
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from typing import Any

import gns_py.sync as gns
from gns_py import Config

MIB = 1 << 20
CHUNK = bytes(16384)
STAMP = struct.Struct("d")
# A reader that is never too slow, so that only the sender's options matter.
READER = Config(recv_queue_bytes=1 << 29, recv_queue_messages=1 << 22)
Row = list[str]

# These measurements overrun limits on purpose, and GNS logs a warning for each packet.
logging.getLogger("gns_py.native").setLevel(logging.ERROR)


def table(title: str, columns: str, rows: Iterable[Row]) -> None:
    """Print a table in Markdown, row by row. Columns are separated by commas."""
    print(f"\n{title}\n\n| {columns.replace(',', ' | ')} |\n|{'---|' * (columns.count(',') + 1)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def at(rate: int, *, send_buffer_size: int = 8 * MIB, max_unacked_segments: int = 16384) -> Config:
    """Return options with a send rate in bytes/s, and by default with room for all data under way."""
    return Config(
        send_rate_min=rate,
        send_rate_max=rate,
        send_buffer_size=send_buffer_size,
        max_unacked_segments=max_unacked_segments,
    )


def presets() -> dict[str, Config]:
    """Return the presets by name."""
    return {
        "Config()": Config(),
        "Config.lan()": Config.lan(),
        "Config.internet()": Config.internet(),
        "Config.server()": Config.server(),
    }


def percentile(values: list[float], share: float) -> float:
    """Return the value below which the share of all values lies, or NaN."""
    return sorted(values)[int(share * (len(values) - 1))] if values else float("nan")


@contextmanager
def process(target: Callable[..., None], *arguments: object) -> Iterator[tuple[Pipe, int]]:
    """Run a function in a process of its own, killed at the end. Yield a pipe to it and its process id."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    child.start()
    try:
        yield ours, child.pid or 0
    finally:
        child.kill()
        child.join()


def run_apart(pipe: Pipe, function: Callable[..., Any], *arguments: object) -> None:
    """Run the function in the new process, and send its result."""
    pipe.send(function(*arguments))


def apart(function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - any result
    """Return the function's result from a process of its own, and so with memory of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=run_apart, args=(theirs, function, *arguments))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        child.join()


@contextmanager
def listening(config: Config) -> Iterator[gns.ListenSocket]:
    """Open a listen socket whose connections leave no traffic behind that would affect the next measurement."""
    listener = gns.listen("127.0.0.1", 0, config=config)
    try:
        yield listener
    finally:
        listener.close(linger=False)


def read(_: Pipe, port: int) -> None:
    """Read and drop messages until the end of the connection."""
    with gns.connect("127.0.0.1", port, config=READER) as connection, suppress(gns.ConnectionClosed):
        while True:
            connection.recv_many()
