"""``gns-py p2p demo``: what it shows, and that it leaves no process behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from support import PATIENCE
from support.meeting import skip_without_network

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def _network() -> None:
    skip_without_network()


def test_it_shows_both_ends_and_a_session_that_outlives_its_connection(run: Run) -> None:
    result = run("p2p", "demo", timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    for who, last in {"alice": "CONNECTED -> NONE", "bob": "CONNECTED -> CLOSED_BY_PEER"}.items():
        mine = [re.match(rf" *([\d.]+) s  {who} +(.*?)(?: \(.*\))?$", line) for line in lines]
        entries = [(float(each[1]), each[2]) for each in mine if each]
        assert [text for _, text in entries if re.match(r"[A-Z_]+ ->", text)] == [
            "NONE -> CONNECTING",
            "CONNECTING -> FINDING_ROUTE",
            "FINDING_ROUTE -> CONNECTED",
            last,
        ]
        assert entries == sorted(entries, key=lambda each: each[0])
    text = result.stdout
    assert text.index("is cut off") < text.index("has lost its connection: ") < text.index("goes on over another")
    assert re.search(r"^Connected after \d\.\d\d s, route local, [\d.]+ ms\.$", text, re.MULTILINE)
    assert lines[-1].endswith("All 120 numbers arrived there and back, each once and in order.")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("how", ["Ctrl-C", "a kill", "the death of a peer"])
def test_its_end(connected_demo: Callable[..., Any], how: str) -> None:
    with connected_demo() as (demo, children):
        if how == "Ctrl-C":
            os.killpg(demo.pid, signal.SIGINT)
            _, errors = demo.communicate(timeout=10 * PATIENCE)
            assert (demo.returncode, errors) == (130, "")
        elif how == "a kill":
            demo.kill()
        else:
            children[-1].kill()
            _, errors = demo.communicate(timeout=10 * PATIENCE)
            assert demo.returncode == 1
            assert errors == "gns-py p2p demo: error: a peer's process ended too early\n"
