"""A whole server process, with a good client, that a changed peer attacks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

import gns_py.session.sync as session

from .peer import Peer

# Both layers in one process: the peer's target is one of them, the good client is a session.
_SERVER = """
import asyncio, contextlib, resource, sys
import gns_py
import gns_py.asyncio as gns
import gns_py.session.asyncio as session

kind = sys.argv[1]

async def echo(session):
    async for data in session:
        session.send(data, nagle=False)

async def echo_raw(connection):
    async for data in connection:
        with contextlib.suppress(gns_py.SendQueueFull):
            connection.send(data)

async def main():
    async with session.serve(echo, "127.0.0.1", 0) as good, gns.serve(echo_raw, "127.0.0.1", 0) as raw:
        print(good.address.port, raw.address.port if kind == "connections" else good.address.port, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            with open("/proc/self/statm") as sizes:
                limit = int(sizes.read().split()[0]) * resource.getpagesize() + int(line)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            print("limited", flush=True)

asyncio.run(main())
"""


@dataclass
class Figures:
    """The peer's actions and their effects."""

    said: str
    round_trips: int
    slowest: float
    """Round trips of the good client, in seconds."""
    grown: int
    """The most bytes that the server's process had more than before."""
    cpu: float
    """Cores that the server used."""


def attack(
    peer: Path,
    directory: Path,
    kind: str,
    *arguments: object,
    spare: int = 0,
    report: Callable[[float], None] = lambda _: None,
) -> Figures:
    """Run the peer against a server of connections, or of sessions, until it ends; fail if the good client suffers.

    With spare the server gets no more than that many bytes of address space beyond what it has when the peer begins.
    """
    with Peer(_SERVER, directory, kind) as server, contextlib.ExitStack() as stack:
        port, target = map(int, server.line().split())
        good = stack.enter_context(session.connect("127.0.0.1", port))
        process = psutil.Process(server.process.pid)

        def round_trip() -> float:
            begin = time.perf_counter()
            good.send(b"x", nagle=False)
            assert good.recv(timeout=30.0) == b"x"
            return time.perf_counter() - begin

        round_trip()
        if spare:
            server.say(str(spare))
            assert server.line() == "limited"
        before = process.memory_info().rss
        cpu, begin = sum(process.cpu_times()[:2]), time.monotonic()
        grown, slowest, count = 0, 0.0, 0
        running = subprocess.Popen(
            [peer, str(target), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "SECONDS_AFTER": "1"},
        )
        stack.enter_context(running)
        stack.callback(running.kill)
        while running.poll() is None:
            took = round_trip()
            report(took)
            slowest, count = max(slowest, took), count + 1
            grown = max(grown, process.memory_info().rss - before)
            time.sleep(0.01)
        cpu = (sum(process.cpu_times()[:2]) - cpu) / (time.monotonic() - begin)
        said = running.communicate()[0]
        assert server.process.poll() is None, server.stderr
        round_trip()
        return Figures(said, count, slowest, grown, cpu)
