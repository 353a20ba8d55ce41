"""A signalling server in a process of its own, which tests attack and measure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

from .peer import Peer

_SERVER = """
import asyncio, sys
from gns_py.p2p.signalling import SignallingLimits, SignallingServer

async def main():
    limits = SignallingLimits(**eval(sys.argv[1]))
    async with SignallingServer(lambda token: f"str:{token}", limits=limits) as server:
        _, port = (await server.listen("127.0.0.1", int(sys.argv[2])))[0]
        print(port, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            counters = server.counters
            print(server.client_count, server.room_count, counters.violations, counters.refused_connections,
                  counters.refused_logins, counters.pauses, flush=True)

asyncio.run(main())
"""


class ServerProcess:
    """The server."""

    def __init__(self, program: Peer) -> None:
        self.program = program
        self.port = int(program.line(20.0))
        self.url = f"ws://127.0.0.1:{self.port}"
        self._process = psutil.Process(program.process.pid)

    def ask(self) -> dict[str, int]:
        """Return its numbers. It answers while it is not busy."""
        self.program.say("?")
        names = ("clients", "rooms", "violations", "refused_connections", "refused_logins", "pauses")
        return dict(zip(names, map(int, self.program.line().split()), strict=True))

    @property
    def memory(self) -> int:
        """The bytes of memory that it has."""
        return int(self._process.memory_info().rss)

    @property
    def cpu(self) -> float:
        """The seconds of CPU that it has used."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @property
    def descriptors(self) -> int:
        """The number of its open descriptors."""
        return int(self._process.num_fds())


@contextlib.contextmanager
def server_process(folder: Path, port: int = 0, **limits: float) -> Iterator[ServerProcess]:
    """Run a server with these limits, and kill it at the end."""
    with Peer(_SERVER, folder, repr(limits), port) as program:
        yield ServerProcess(program)
