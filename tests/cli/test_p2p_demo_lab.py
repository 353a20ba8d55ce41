"""``gns-py p2p demo --lab``: the same peers behind real NATs, and nothing is left of them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.usefixtures("needs_nat_lab")
@pytest.mark.parametrize(("nats", "route"), [("port symmetric", "relayed"), ("full port", "direct")])
def test_route(run: Run, nats: str, route: str) -> None:
    result = run("p2p", "demo", "--lab", *nats.split(), timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    alices, bobs = nats.split()
    assert f"alice is behind a router: NAT {alices}\n" in result.stdout
    assert f"bob is behind a router: NAT {bobs}\n" in result.stdout
    assert re.search(rf"^Connected after \d\.\d\d s, route {route}, [\d.]+ ms\.$", result.stdout, re.MULTILINE)
    assert result.stdout.endswith("All 120 numbers arrived there and back, each once and in order.\n")


@pytest.mark.usefixtures("needs_nat_lab")
def test_no_route(run: Run) -> None:
    result = run("p2p", "demo", "--lab", "no-udp", "none", timeout=60)
    assert result.returncode == 1
    assert re.fullmatch(r"gns-py p2p demo: error: .*5008 MISC_P2P_RENDEZVOUS.*\n", result.stderr)


def test_wrong_usage(run: Run) -> None:
    for nats in (["port"], ["port", "cone"]):
        result = run("p2p", "demo", "--lab", *nats)
        assert result.returncode == 2
        assert "--lab" in result.stderr


def test_no_tools(run: Run, tmp_path: Path, environment: dict[str, str]) -> None:
    environment["PATH"] = str(tmp_path)
    result = run("p2p", "demo", "--lab", "port", "port")
    assert result.returncode == 1
    assert re.fullmatch(r"gns-py p2p demo: error: .* needs? .*\n", result.stderr)


@pytest.mark.usefixtures("needs_nat_lab")
def test_ctrl_c(connected_demo: Callable[..., Any]) -> None:
    with connected_demo("--lab", "port", "port") as (demo, _):
        os.killpg(demo.pid, signal.SIGINT)
        _, errors = demo.communicate(timeout=10 * PATIENCE)
        assert (demo.returncode, errors) == (130, "")
