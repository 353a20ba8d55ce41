"""Peers that are stopped: the delay of other connections meanwhile, and the time until the silence is noticed."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection as Pipe

from options.harness import Row, at, listening, presets, process, read, table

import gns_py.sync as gns
from gns_py import Config


def echo(_: Pipe, port: int) -> None:
    with gns.connect("127.0.0.1", port) as connection, suppress(gns.ConnectionClosed):
        while True:
            connection.send(connection.recv(), nagle=False)


def longest_round_trip(config: Config, size: int, seconds: float) -> tuple[float, int]:
    """Return the longest round trip of a connection while another one's peer is stopped, and its queue is full.

    GNS's search for segments to retransmit to the stopped peer delays all connections.

    Returns:
        The round trip in seconds, and the number of messages in the queue of the other connection.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        _, number = stack.enter_context(process(read, listener.address.port))
        silent = stack.enter_context(listener.accept(20.0))
        other = stack.enter_context(listening(Config()))
        stack.enter_context(process(echo, other.address.port))
        lively = stack.enter_context(other.accept(20.0))
        lively.send(b"warm up", nagle=False)
        lively.recv(20.0)
        os.kill(number, signal.SIGSTOP)
        batch = [bytes(size)] * 256
        longest, queued = 0.0, 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(gns.SendQueueFull):
                while True:
                    silent.send_many(batch)
            queued = max(queued, silent.send_queue().messages)
            begin = time.monotonic()
            lively.send(b"ping", nagle=False)
            lively.recv(20.0)
            longest = max(longest, time.monotonic() - begin)
        silent.close(linger=False)
        return longest, queued


def stalls(configs: dict[str, Config], seconds: float, runs: int) -> Iterator[Row]:
    for name, config in configs.items():
        row = [name]
        for size in (32, 1200):
            results = [longest_round_trip(config, size, seconds) for _ in range(runs)]
            row += [f"{results[0][1]}", f"{1000 * statistics.median(result[0] for result in results):.0f} ms"]
        yield row


def stall(quick: bool) -> None:
    """Measure the round trips of a connection while another one's peer is stopped, by option."""
    seconds, runs = (2.0, 1) if quick else (4.0, 3)
    patient = Config(timeout_connected=60_000)
    columns = "config,32 B messages queued,longest round trip,1200 B messages queued,longest round trip"
    for rate in (512_000, 20_000_000, 100_000_000):
        configs = {str(count): at(rate, max_unacked_segments=count) | patient for count in (2048, 4096, 16384)}
        title = f"Stall: {rate / 1e6:.1f} MB/s to a peer that is stopped, by max_unacked_segments"
        table(title, columns, stalls(configs, seconds, runs))
    configs = {name: config | patient for name, config in presets().items()}
    table("Stall: presets", columns, stalls(configs, seconds, runs))


def silence(config: Config, sending: bool) -> float:
    """Return the seconds until a stopped peer is noticed."""
    with ExitStack() as stack:
        listener = stack.enter_context(listening(config))
        _, number = stack.enter_context(process(read, listener.address.port))
        connection = stack.enter_context(listener.accept(20.0))
        connection.send(b"hello")
        time.sleep(0.5)
        os.kill(number, signal.SIGSTOP)
        begin = time.monotonic()
        while connection.end is None and time.monotonic() < begin + 60:
            if sending:
                with suppress(gns.SendQueueFull, gns.ConnectionClosed):
                    connection.send(b"are you there?")
            connection.poll(0.05)
        return time.monotonic() - begin


def timeouts(quick: bool) -> None:
    """Measure the time until a stopped peer is noticed, by timeout."""
    times = (500, 2000) if quick else (500, 2000, 5000, 10000)
    table(
        "Timeouts: until a vanished peer is noticed, by timeout_connected",
        "timeout_connected,while sending,while idle",
        (
            [
                f"{time_ms} ms",
                *(f"{silence(Config(timeout_connected=time_ms), sending):.1f} s" for sending in (True, False)),
            ]
            for time_ms in times
        ),
    )
