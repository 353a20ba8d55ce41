"""`gns-py doctor`."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gns_py

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def report(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(result.stdout)
    assert list(facts) == ["versions", "build", "system", "authentication", "self-test", "problems"]
    for problem in facts["problems"]:
        assert problem["severity"] in ("warning", "error")
        assert problem["problem"]
        assert problem["advice"].endswith(".")
    return facts


def test_shows_what_is_inside(run: Run) -> None:
    result = run("doctor")
    assert (result.returncode, result.stderr) == (0, "")
    build = gns_py.build_info()
    for fact in (*build, platform.python_version(), importlib.metadata.version("cffi")):
        assert fact in result.stdout
    assert "127.0.0.1  works: connect" in result.stdout


def test_json_has_the_same_facts(run: Run) -> None:
    result = run("doctor", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    facts = report(result)
    build = gns_py.build_info()
    assert facts["versions"]["gns_py"] == build.version
    assert facts["versions"]["GameNetworkingSockets"] == build.gns_version
    assert facts["versions"]["protobuf"] == build.protobuf_version
    assert facts["versions"]["crypto"] == build.crypto
    assert facts["build"]["mode"] == build.mode
    assert Path(facts["build"]["library"]).stat().st_size == facts["build"]["library_bytes"] > 100_000
    assert facts["system"]["udp_receive_buffer"] > 0
    assert facts["system"]["udp_send_buffer"] > 0
    steps = facts["self-test"]["127.0.0.1"]
    assert list(steps) == ["connect_ms", "echo_ms", "close_ms"]
    assert all(0 < milliseconds < 5000 for milliseconds in steps.values())
    assert ("::1" in facts["self-test"]) == facts["system"]["ipv6_loopback"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_compares_the_kernels_limits_with_what_gns_wants(run: Run) -> None:
    facts = report(run("doctor", "--json"))
    for name, direction in (("rmem", "receive"), ("wmem", "send")):
        limit = int(Path(f"/proc/sys/net/core/{name}_max").read_text())
        assert facts["system"][f"net.core.{name}_max"] == limit
        assert facts["system"][f"udp_{direction}_buffer"] == min(limit, 256 * 1024)
        warned = any(f"UDP {direction} buffer" in problem["problem"] for problem in facts["problems"])
        assert warned == (limit < 256 * 1024)


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")
def test_warns_of_a_low_limit_of_open_files(run: Run) -> None:
    result = run("doctor", "--json", prefix=("prlimit", "--nofile=200:200"))
    assert result.returncode == 0  # a warning is not a failure
    facts = report(result)
    assert facts["system"]["open_files"] == 200
    (problem,) = (each for each in facts["problems"] if "200 files" in each["problem"])
    assert problem["severity"] == "warning"
    assert "ulimit -n" in problem["advice"]


def test_says_what_to_do_where_there_is_no_network(run: Run) -> None:
    """In a new network namespace, not even loopback is up."""
    prefix = ("unshare", "--user", "--map-root-user", "--net")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs network namespaces")
    result = run("doctor", prefix=prefix)
    assert (result.returncode, result.stderr) == (1, "")
    assert "error: a connection over 127.0.0.1 does not work" in result.stdout
    assert "firewall" in result.stdout
    assert "warning: there is no IPv6 loopback" in result.stdout
