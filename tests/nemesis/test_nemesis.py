"""Short rounds; `python -m tests.nemesis` runs for longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .checker import Totals
from .harness import Run, run
from .places import why_not
from .report import table
from .stores import why_no

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are stopped, and die with their parent"),
]
PROGRAM = Path(__file__).resolve().parent / "__main__.py"
NETNS = Path("/var/run/netns")


def play(given: Run) -> Totals:
    result = run(given)
    shown = "\n".join([table(result.totals, result.steps), *result.wrong])
    assert not result.wrong, shown
    assert result.totals.messages > 1_000, shown
    assert result.totals.resumes > 0, shown
    return result.totals


def test_nothing_is_lost_or_doubled_between_processes_on_one_machine() -> None:
    play(Run(1, 8.0, lasts=5.0, is_networked=False))


@pytest.fixture
def networks() -> None:
    """Skip the test where no networks can be made."""
    why = why_not()
    if why is not None:
        pytest.skip(why)


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize("seed", [1])
def test_nothing_is_lost_or_doubled_over_networks_that_are_cut(seed: int) -> None:
    play(Run(seed, 10.0, lasts=5.0))


@pytest.mark.parametrize(("store", "seed"), [("valkey", 52), ("sentinel", 299)])
def test_durable_sessions_lose_and_double_nothing_when_servers_die(store: str, seed: int) -> None:
    why = why_no(store)
    if why is not None:
        pytest.skip(why)
    totals = play(Run(seed, 7.0, servers=3, lasts=3.0, is_networked=why_not() is None, store=store))
    assert totals.failovers > 0


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize(
    ("how", "options"), [("SIGINT", []), ("SIGTERM", []), ("SIGHUP", []), ("SIGTERM", ["--durable"])]
)
def test_an_interrupted_run_leaves_nothing_behind(how: str, options: list[str], tmp_path: Path) -> None:
    if options and (why := why_no("valkey")):
        pytest.skip(why)
    command = [sys.executable, str(PROGRAM), "--seed", "3", *options]
    folder = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=folder)
    mine = f"gnsn{process.pid}-*"
    try:
        deadline = time.monotonic() + 20.0
        while len(children(process.pid)) < (7 if options else 5):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        assert list(NETNS.glob(mine))
        started = children(process.pid)
        for _ in range(2):
            process.send_signal(signal.Signals[how])
        process.communicate(timeout=20.0)
    finally:
        process.kill()
        process.communicate()
    assert list(NETNS.glob(mine)) == []
    assert [each for each in started if Path(f"/proc/{each}").exists()] == []
    assert list(tmp_path.iterdir()) == []


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, and that run the program of the nemesis tests or a store."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            status, command = ((each / name).read_text() for name in ("status", "cmdline"))
        except OSError:  # it has ended
            continue
        if f"\nPPid:\t{pid}\n" in status and ("nemesis/process.py" in command or "valkey-server" in command):
            found.append(int(each.name))
    return found
