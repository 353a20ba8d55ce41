"""Fixtures that run commands as programs: to their end, or as servers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from support import PATIENCE, Peer, eventually

# With a guard, since a spawned process imports the file again.
_GNS_PY = """
    import runpy

    if __name__ == "__main__":
        runpy.run_module("gns_py", run_name="__main__")
"""


class Echo(NamedTuple):
    """A running `gns-py echo`."""

    program: Peer
    port: int


@pytest.fixture
def environment() -> dict[str, str]:
    """Return the environment of commands: this one, without variables that change output; warnings are errors."""
    names = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return kept | {"PYTHONWARNINGS": "error", "TERM": "xterm"}


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `python -m gns_py` with these arguments to its end."""

    def run(
        *arguments: object, timeout: float = 20.0, prefix: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, sys.executable, "-m", "gns_py", *map(str, arguments)],
            cwd=tmp_path,  # the current folder is on the path and may hold the sources of gns_py
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout * PATIENCE,
            check=False,
        )

    return run


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Peer]:
    """Start a command and leave it running."""

    def start(*arguments: object) -> Peer:
        return Peer(_GNS_PY, tmp_path, *arguments)

    return start


@pytest.fixture
def connected_demo(
    tmp_path: Path, environment: dict[str, str]
) -> Callable[..., AbstractContextManager[tuple[subprocess.Popen[str], list[psutil.Process]]]]:
    """Run `gns-py p2p demo` until its peers are connected; give the program, in its own group, and its children."""

    @contextmanager
    def connected_demo(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
        with subprocess.Popen(
            [sys.executable, "-m", "gns_py", "p2p", "demo", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment,
            start_new_session=True,
        ) as demo:
            assert demo.stdout is not None
            while "FINDING_ROUTE -> CONNECTED" not in demo.stdout.readline():
                assert demo.poll() is None
            children = psutil.Process(demo.pid).children(recursive=True)
            assert len(children) >= 2
            yield demo, children
            eventually(lambda: not any(each.is_running() for each in children), 10.0, "the end of the programs")

    return connected_demo


@pytest.fixture
def echo(start: Callable[..., Peer]) -> Iterator[Echo]:
    """Yield a running `gns-py echo` on IPv4 loopback."""
    with start("echo", "--host", "127.0.0.1", "--port", 0) as program:
        first = program.line()
        assert first.startswith("listening on 127.0.0.1:")
        yield Echo(program, int(first.rpartition(":")[2]))
