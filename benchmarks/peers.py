"""Starting the peers, and looking at what they cost from outside. Needs Linux, for /proc."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from common import RATE

import gns_py._native as native

HERE = Path(__file__).parent
Result = dict[str, float]
Command = list[str]


def build(folder: Path) -> Command:
    """Compiles the C++ peers against the library that Python uses."""
    library = Path(native.__file__).parent
    peer = folder / "core_peer"
    compiler = os.environ.get("CXX") or shutil.which("c++") or sys.exit("needs a C++ compiler: c++, or set CXX")
    link = ["-L", str(library), "-lgns_core", f"-Wl,-rpath,{library}"]
    source = [str(HERE / "core_peer.cpp"), str(HERE / "core_world.cpp"), "-I", str(HERE.parent / "build_native/core")]
    subprocess.run([compiler, "-O2", "-std=c++17", *source, "-o", str(peer), *link], check=True)
    return [str(peer)]


def commands(cpp: Command) -> dict[str, Command]:
    """How each kind of peer is called."""
    asyncio_peer = [sys.executable, str(HERE / "asyncio_peer.py")]
    return {
        "C++": cpp,
        "sync": [sys.executable, str(HERE / "sync_peer.py")],
        "asyncio": [*asyncio_peer, "asyncio"],
        "uvloop": [*asyncio_peer, "uvloop"],
    }


class Peer:
    """A running peer."""

    def __init__(self, command: Sequence[object]) -> None:
        environment = os.environ | {"BENCH_RATE": str(RATE)}
        self._process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True, env=environment)
        self.pid = self._process.pid

    def line(self) -> str:
        """The next line that it says."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line.strip()

    def result(self) -> Result:
        """The next line, which is a result."""
        result: Result = json.loads(self.line())
        return result

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def running(command: Sequence[object]) -> Iterator[Peer]:
    peer = Peer(command)
    try:
        yield peer
    finally:
        peer.end()


class Usage(NamedTuple):
    """What a process has cost so far."""

    cpu: float
    """Seconds, of all its threads."""
    wakeups: int
    """How often one of its threads, the reader, went to sleep."""
    memory: int
    """Resident now, in bytes."""


def usage(pid: int, reader: int) -> Usage:
    tasks = Path(f"/proc/{pid}/task")
    cpu = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())
    wakeups = _number(tasks / str(reader) / "status", "voluntary_ctxt_switches:")
    return Usage(cpu / 1e9, wakeups, _number(tasks / str(pid) / "status", "VmRSS:") * 1024)


def _number(path: Path, name: str) -> int:
    line = next(line for line in path.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1])
