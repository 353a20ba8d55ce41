"""`gns-py demo`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from support import PATIENCE, eventually
from support.demo import running_demo

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def rows(output: str) -> dict[str, tuple[str, str]]:
    """Return the table as a dict: label -> (the client's value, the server's)."""
    _, _, rest = output.partition("what the connection measured\n")
    table, _, _ = rest.partition("\n\n")
    found = {}
    for row in table.splitlines()[1:]:
        name, client, server = re.split(r"\s{2,}", row.strip())
        found[name] = client, server
    return found


def numbers(values: tuple[str, str]) -> tuple[float, float]:
    client, server = (float(re.match(r"[\d,.]+", value)[0].replace(",", "")) for value in values)  # type: ignore[index]
    return client, server


def test_shows_both_ends_of_a_connection_over_a_bad_network(run: Run) -> None:
    begin = time.monotonic()
    result = run("demo", timeout=30)
    assert (result.returncode, result.stderr) == (0, "")
    assert time.monotonic() - begin < 15.0 * PATIENCE

    lines = result.stdout.splitlines()
    for who, changes in {
        "client": ["NONE -> CONNECTING", "CONNECTING -> CONNECTED", "CONNECTED -> NONE"],
        "server": ["NONE -> CONNECTING", "CONNECTING -> CONNECTED", "CONNECTED -> CLOSED_BY_PEER"],
    }.items():
        mine = [re.match(rf" *([\d.]+) s  {who} +(.*?)(?: \(.*\))?$", line) for line in lines]
        entries = [(float(entry[1]), entry[2]) for entry in mine if entry]
        assert [text for _, text in entries if "->" in text] == changes
        assert entries == sorted(entries, key=lambda entry: entry[0])
    assert "the demo is over" in result.stdout
    assert "simulated: 5 %" in result.stdout
    assert "256 KiB/s" in result.stdout

    table = rows(result.stdout)
    assert all(90 <= ping <= 400 for ping in numbers(table["ping"]))
    assert numbers(table["reliable messages sent"]) == numbers(table["reliable messages received"]) == (31, 31)
    sent, received = numbers(table["unreliable messages sent"]), numbers(table["unreliable messages received"])
    lost = numbers(table["unreliable messages lost"])
    assert sent[0] == 150
    assert sent[1] == received[1] == sent[0] - lost[0]
    assert received[0] == sent[1] - lost[1]
    assert 0 < sum(lost) < 60
    assert all(count > 512 * 1024 for count in numbers(table["bytes received in messages"]))
    assert table["encryption"] == ("AES-256-GCM, X25519", "AES-256-GCM, X25519")
    assert table["peer authenticated"] == ("no (UNAUTHENTICATED)", "no (UNAUTHENTICATED)")
    assert re.search(r"^512 KiB in one message: \d\.\d+ s one way, [\d.]+ MiB/s$", result.stdout, re.MULTILINE)


def test_on_a_perfect_network_nothing_is_lost(run: Run) -> None:
    result = run("demo", "--loss", 0, "--lag", 0, timeout=30)
    assert result.returncode == 0
    table = rows(result.stdout)
    assert all(ping < 50 for ping in numbers(table["ping"]))
    assert numbers(table["unreliable messages received"]) == (150, 150)
    assert numbers(table["unreliable messages lost"]) == (0, 0)


def test_says_what_did_not_arrive(run: Run) -> None:
    result = run("demo", "--loss", 100, timeout=30)
    assert result.returncode == 1
    assert "CONNECTING -> PROBLEM_DETECTED_LOCALLY" in result.stdout
    assert result.stderr.count("\n") == 1
    assert "the client did not get through to the server" in result.stderr


@pytest.fixture
def demo(tmp_path: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Yield a running demo with connected ends."""
    with running_demo(until="CONNECTING -> CONNECTED", cwd=tmp_path, env=environment) as process:
        yield process


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
class TestTheServerProcess:
    def test_ends_with_ctrl_c(self, demo: subprocess.Popen[str]) -> None:
        children = psutil.Process(demo.pid).children(recursive=True)
        assert children
        begin = time.monotonic()
        os.killpg(demo.pid, signal.SIGINT)
        _, errors = demo.communicate(timeout=10 * PATIENCE)
        assert (demo.returncode, errors) == (130, "")
        assert time.monotonic() - begin < 3.0 * PATIENCE
        eventually(lambda: not any(child.is_running() for child in children), 5.0, "the end of the server process")

    def test_ends_when_the_client_is_killed(self, demo: subprocess.Popen[str]) -> None:
        children = psutil.Process(demo.pid).children(recursive=True)
        assert children
        demo.kill()
        eventually(lambda: not any(child.is_running() for child in children), 10.0, "the end of the server process")

    def test_that_is_killed_ends_the_demo(self, demo: subprocess.Popen[str]) -> None:
        for child in psutil.Process(demo.pid).children():
            child.kill()
        _, errors = demo.communicate(timeout=10 * PATIENCE)
        assert demo.returncode == 1
        assert errors.count("\n") == 1
        assert "the server process ended too early" in errors
