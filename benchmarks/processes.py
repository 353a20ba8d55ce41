"""Start the peers, and measure their cost from outside. Needs Linux, for /proc."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
RATE = 40_000_000  # bytes/s, for GNS
Result = dict[str, float]


class Peer:
    """A running peer."""

    def __init__(self, command: Sequence[object], cores: set[int]) -> None:
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)  # processes inherit it
        try:
            self._process = subprocess.Popen(
                [*map(str, command)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=HERE,
                env=os.environ | {"BENCH_RATE": str(RATE)},
            )
        finally:
            os.sched_setaffinity(0, before)
        self.pid = self._process.pid

    def line(self) -> str:
        """Return the next line of its output."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line.strip()

    def result(self) -> Result:
        """Return the next line of its output, a result."""
        result: Result = json.loads(self.line())
        return result

    def proceed(self) -> None:
        """Tell it that it may go on."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def wait(self) -> None:
        """Wait until it has ended by itself."""
        if code := self._process.wait(120):
            raise RuntimeError(f"{self._process.args!r} ended with {code}")

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def running(command: Sequence[object], core: int | None = None) -> Iterator[Peer]:
    """Run a peer, perhaps on one of the cores that this process may use, and kill it at the end."""
    cores = sorted(os.sched_getaffinity(0))
    peer = Peer(command, set(cores if core is None else [cores[core % len(cores)]]))
    try:
        yield peer
    finally:
        peer.end()


class Usage(NamedTuple):
    """The cost of a process so far."""

    cpu: float
    """Processor time of all its threads, in seconds."""
    wakeups: int
    """The number of times that its reading thread went to sleep."""
    memory: int
    """Current resident memory, in bytes."""


def usage(pid: int, reader: int) -> Usage:
    """Return the cost of a process, whose thread `reader` reads."""
    tasks = Path(f"/proc/{pid}/task")
    cpu = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())
    wakeups = _number(tasks / str(reader) / "status", "voluntary_ctxt_switches:")
    return Usage(cpu / 1e9, wakeups, _number(tasks / str(pid) / "status", "VmRSS:") * 1024)


def _number(path: Path, name: str) -> int:
    line = next(line for line in path.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])
