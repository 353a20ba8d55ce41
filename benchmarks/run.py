"""Python beside C++ through the same core: round trip and one-way throughput, in one run, as ratios.

Usage: python benchmarks/run.py [--quick] [--runs N]. Needs gns_py installed, a C++ compiler, two free cores. Each
figure is the median of the runs, in which the two languages take turns, so that a machine that slows down slows both.

GNS sends 256 KiB/s unless told otherwise: here the rate is RATE below, and the buffers are large enough for it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gns_py._native as native

RATE = 40_000_000
HERE = Path(__file__).parent
SIZES = (32, 256, 1200)
Result = dict[str, float]


def build(folder: Path) -> Path:
    """Compiles core_peer.cpp against the library that Python uses."""
    library = Path(native.__file__).parent
    peer = folder / "core_peer"
    compiler = os.environ.get("CXX") or shutil.which("c++") or sys.exit("needs a C++ compiler: c++, or set CXX")
    link = ["-L", str(library), "-lgns_core", f"-Wl,-rpath,{library}"]
    source = [str(HERE / "core_peer.cpp"), "-I", str(HERE.parent / "build_native/core")]
    subprocess.run([compiler, "-O2", "-std=c++17", *source, "-o", str(peer), *link], check=True)
    return peer


@contextmanager
def server(peer: list[str]) -> Iterator[str]:
    """A running server; its port."""
    with subprocess.Popen([*peer, "serve"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def measure(peer: list[str], what: str, *numbers: int) -> Result:
    with server(peer) as port:
        client = subprocess.run(
            [*peer, what, port, *map(str, numbers)], stdout=subprocess.PIPE, text=True, check=True, timeout=120
        )
    result: Result = json.loads(client.stdout)
    return result


def median(results: list[Result]) -> Result:
    return {name: statistics.median(result[name] for result in results) for name in results[0]}


def compare(peers: dict[str, list[str]], runs: int, what: str, *numbers: int) -> tuple[Result, Result]:
    results: dict[str, list[Result]] = {name: [] for name in peers}
    for _ in range(runs):
        for name, peer in peers.items():
            results[name].append(measure(peer, what, *numbers))
    return median(results["C++"]), median(results["Python"])


def header(names: str) -> None:
    """The top of a Markdown table."""
    columns = names.split("|")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")


def round_trips(peers: dict[str, list[str]], runs: int, count: int) -> None:
    print(f"Round trip, blocking, reliable, {count} times, microseconds\n")
    header("size|C++ p50|p99|p99.9|Python p50|p99|p99.9|ratio p50 (budget 1.5)|Python p99/p50 (3)|p99.9/p50 (6)")
    for size in SIZES:
        cpp, python = compare(peers, runs, "round_trip", count, size)
        cells = [f"{result[name]:.0f}" for result in (cpp, python) for name in ("p50", "p99", "p999")]
        ratios = [python["p50"] / cpp["p50"], python["p99"] / python["p50"], python["p999"] / python["p50"]]
        print(f"| {size} B | " + " | ".join([*cells, *(f"{ratio:.2f}" for ratio in ratios)]) + " |", flush=True)


def throughputs(peers: dict[str, list[str]], runs: int, volume: int) -> None:
    print(f"\nOne way, one connection, batched, at most {RATE / 1e6:.0f} MB/s\n")
    header("size|kind|C++ msg/s|Python msg/s|ratio (budget 0.95)|C++ us CPU/msg|Python|ratio (1.5)|lost C++|Python")
    for size in SIZES:
        count = min(volume // size, volume // 100)
        for kind, reliable in (("reliable", 1), ("unreliable", 0)):
            cpp, python = compare(peers, runs, "one_way", count, size, reliable)
            rates = [result["received"] / result["seconds"] for result in (cpp, python)]
            cpus = [(result["sender_cpu"] + result["receiver_cpu"]) / count * 1e6 for result in (cpp, python)]
            lost = [f"{100 * (1 - result['received'] / count):.1f} %" for result in (cpp, python)]
            print(
                f"| {size} B | {kind} | {rates[0]:.0f} | {rates[1]:.0f} | {rates[1] / rates[0]:.2f} | {cpus[0]:.2f} "
                f"| {cpus[1]:.2f} | {cpus[1] / cpus[0]:.2f} | {lost[0]} | {lost[1]} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement: seconds instead of minutes")
    parser.add_argument("--runs", type=int, default=5, help="how often each figure is measured (default: 5)")
    arguments = parser.parse_args()
    os.environ["BENCH_RATE"] = str(RATE)
    runs = 1 if arguments.quick else arguments.runs
    with tempfile.TemporaryDirectory() as folder:
        peers = {"C++": [str(build(Path(folder)))], "Python": [sys.executable, str(HERE / "python_peer.py")]}
        round_trips(peers, runs, 1000 if arguments.quick else 10_000)
        throughputs(peers, runs, 5_000_000 if arguments.quick else 30_000_000)


if __name__ == "__main__":
    main()
