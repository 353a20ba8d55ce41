"""Ten thousand connections one after another, a thousand at once: afterwards nothing is left of them.

Each measurement is taken once GNS has forgotten the closed connections (5 s), and the last two are compared. Memory is
what malloc has given out, Python's objects included. Where malloc does not report that, it is the process's memory as
the system sees it, which stays as a peak has left it: hence the warm-up with as many at the same time as later, two
rounds for a thousand at once, since scattered pieces let the second peak reach higher, and one arena.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Process = subprocess.Popen[str]
MIB = 1 << 20

if sys.platform == "win32":
    DESCRIPTORS = 1 << 24
else:
    import resource

    _hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    DESCRIPTORS = 1 << 24 if _hard == resource.RLIM_INFINITY else _hard


def run(spawn: Callable[..., Process], *args: object) -> tuple[list[dict[str, int]], str]:
    process = spawn("many.py", *args, MALLOC_ARENA_MAX="1", PYTHONMALLOC="malloc")
    output, errors = process.communicate(timeout=280)
    assert process.returncode == 0, errors
    return json.loads(output), errors


def check_growth(measured: list[dict[str, int]], rss: int) -> None:
    before, after = measured[-2:]
    for what in ("descriptors", "threads", "objects"):
        assert after[what] <= before[what], measured
    assert after["objects"] == 0
    if before["allocated"]:
        assert after["allocated"] - before["allocated"] < MIB, measured
    else:
        assert after["rss"] - before["rss"] < rss, measured


def test_ten_thousand_one_after_another(spawn: Callable[..., Process]) -> None:
    # GNS's part of one connection is 12 KiB; 1 MiB is 0.1 KiB for each, 8 MiB under 0.9. GNS keeps both ends of a
    # closed one for 5 s: at most 4,095 connections, so that after 6,000 their number stays constant.
    measured, errors = run(spawn, "one-by-one", 10_000, 6_000, 1)
    check_growth(measured, 8 * MIB)
    assert errors == ""


@pytest.mark.parametrize("way", ["at-once", "threads"])
def test_a_thousand_at_once(spawn: Callable[..., Process], way: str) -> None:
    measured, errors = run(spawn, way, 1_000, 1_000, 2)
    # 1 MiB is 1 KiB for each, 4 MiB a third of what GNS alone needs.
    check_growth(measured, 4 * MIB)
    assert errors == ""


@pytest.mark.skipif(DESCRIPTORS < 10_000, reason="each connection has a socket, and the system allows too few")
def test_connect_waits_for_room_when_gns_has_too_many(spawn: Callable[..., Process]) -> None:
    measured, errors = run(spawn, "limit", 10_000, 0, 1)
    assert errors == "full with 8191\n"
    assert measured[-1]["objects"] == 0
