"""Compare gns_py with C++ through the same core, and with other libraries, in one run, as ratios.

Prints tables and writes benchmarks/results.json.

Usage: python benchmarks/run.py [--quick] [--runs N] [--only KIND,...] [--output FILE] [PART ...]. Needs gns_py[bench]
installed, a C++ compiler, Linux and two free cores; for plain GNS also CMake, protoc, and the headers of OpenSSL and
protobuf. Each figure is the median of the runs, in which the peers take turns, so that a machine that slows down
affects all. The file keeps its results of parts that are not measured; with --only or --cores nothing is written
unless --output says where. plot.py draws it.

GNS sends 256 KiB/s by default: here the rate is 40 MB/s, and the buffers are large enough for it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import copies
import tables
from kinds import KINDS, OURS, Command
from peers.common import RoundTrips
from processes import HERE, Peer, Result, running, usage

import gns_py

Row = dict[str, Any]


class Effort(NamedTuple):
    """The extent of the measurements."""

    runs: int = 5
    sizes: tuple[int, ...] = (32, 256, 1200)
    trips: int = 10_000
    volume: int = 30_000_000  # bytes
    players: tuple[int, ...] = (1000, 2000)
    tick_seconds: float = 5.0
    connections: int = 1000
    settle_seconds: float = 2.0
    idle_seconds: float = 20.0
    copy_sizes: tuple[int, ...] = (64, 256, 1024, 4096, 16384, 65536, 524288)
    copied: int = 16 << 20  # bytes
    compare_runs: int = 7


QUICK = Effort(
    1, trips=2000, volume=5_000_000, players=(300,), tick_seconds=2.0, connections=300, idle_seconds=3.0, compare_runs=3
)
# Only to see that it works.
TINY = Effort(1, (32,), 50, 50_000, (4,), 0.3, 4, 0.1, 0.3, (64, 524288), 1 << 16, 1)


# Which of the cores the server and the client of a round trip have.
CORES: dict[str, tuple[int | None, int | None]] = {"apart": (0, 1), "together": (0, 0), "free": (None, None)}


class Peers:
    """The kinds of peers that are measured, and the cores that the ends of round trips have."""

    def __init__(self, folder: Path, only: Collection[str], cores: str) -> None:
        self.folder = folder
        self._only = only
        self._cores = CORES[cores]

    def command(self, kind: str) -> Command:
        return KINDS[kind].command(self.folder)

    def among(self, *kinds: str) -> list[tuple[str, ...]]:
        return self.ways((kind,) for kind in kinds)

    def ways(self, ways: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """Return those, of a kind and perhaps a style, that are measured."""
        return [way for way in ways if way[0] in self._only]

    @contextmanager
    def ready(self, kind: str, count: int, size: int, tracer: Command) -> Iterator[tuple[Peer, Peer]]:
        """Run a server and a client, perhaps under a tracer, that is warm and will make round trips."""
        command = self.command(kind)
        with running([*command, "serve"], self._cores[0]) as server:
            call = [*tracer, *command, "round_trip", server.line(), count, size]
            with running(call, self._cores[1]) as client:
                client.line()
                yield server, client


def summed_up(results: list[Result]) -> Result:
    """Return the median of each figure, but the worst count of late ticks, which must not happen at all."""
    return {
        name: (max if name == "late" else statistics.median)(result[name] for result in results) for name in results[0]
    }


def taking_turns(runs: int, ways: Sequence[tuple[str, ...]], measure: Callable[..., Result]) -> Iterator[Row]:
    """Yield a row of medians for each way (a kind of peer, and perhaps a style), measured in turns."""
    results: dict[tuple[str, ...], list[Result]] = {way: [] for way in ways}
    for _ in range(runs):
        for way in ways:
            results[way].append(measure(*way))
    for way, each in results.items():
        yield {"kind": " ".join(way), **summed_up(each)}


def trips(peers: Peers, kind: str, count: int, size: int) -> Result:
    """Return the times of round trips, and the processor time of both ends for each, in microseconds."""
    with peers.ready(kind, count, size, []) as (server, client):
        before = usage(server.pid, server.pid).cpu
        client.proceed()
        result = client.result()
        cpu = result.pop("cpu") + usage(server.pid, server.pid).cpu - before
        return result | {"cpu_us": cpu / count * 1e6}


def round_trip(peers: Peers, effort: Effort) -> Iterator[Row]:
    for size in effort.sizes:

        def measure(kind: str) -> Result:
            return trips(peers, kind, effort.trips, size)  # noqa: B023 - called in this round

        yield from ({"size": size, **row} for row in taking_turns(effort.runs, peers.among(*OURS), measure))


def compare(peers: Peers, effort: Effort) -> Iterator[Row]:
    def measure(kind: str) -> Result:
        return trips(peers, kind, effort.trips, effort.sizes[0])

    yield from taking_turns(effort.compare_runs, peers.among(*KINDS), measure)


def system_calls(peers: Peers, effort: Effort) -> Iterator[Row]:
    """Yield the calls of a client for each round trip: what a longer run makes more than a short one."""
    counts = (effort.trips // 20, effort.trips // 4)
    turns = sum(len(RoundTrips(count).turns) * sign for count, sign in zip(counts, (-1, 1), strict=True))
    for (kind,) in peers.among(*KINDS):
        calls: Counter[str] = Counter()
        for count, sign in zip(counts, (-1, 1), strict=True):
            file = peers.folder / "calls"
            tracer = ["strace", "-c", "-f", "-U", "name,calls", "-o", str(file)]
            with peers.ready(kind, count, effort.sizes[0], tracer) as (_, client):
                client.proceed()
                client.wait()
            lines = [line.split() for line in file.read_text().splitlines()]
            calls.update({line[0]: sign * int(line[1]) for line in lines if len(line) == 2 and line[1].isdigit()})
        total = calls.pop("total")
        yield {
            "kind": kind,
            "all": total / turns,
            "calls": {name: n / turns for name, n in calls.most_common() if n / turns >= 0.05},
        }


def throughput(command: Command, count: int, size: int, reliable: bool) -> Result:
    """Return the rate of messages in one direction, and the processor time of both ends for each, in microseconds."""
    arguments = [count, size, int(reliable)]
    with running([*command, "serve"]) as server, running([*command, "one_way", server.line(), *arguments]) as peer:
        result = peer.result()
    return {
        "rate": result["received"] / result["seconds"],
        "cpu_us": (result["sender_cpu"] + result["receiver_cpu"]) / count * 1e6,
        "lost": 1 - result["received"] / count,
    }


def compare_one_way(peers: Peers, effort: Effort) -> Iterator[Row]:
    size = 256
    count = effort.volume // size

    def measure(kind: str) -> Result:
        return throughput(peers.command(kind), count, size, reliable=True)

    ways = peers.among(*(name for name, kind in KINDS.items() if kind.reliable))
    yield from taking_turns(min(effort.compare_runs, effort.runs), ways, measure)


def one_way(peers: Peers, effort: Effort) -> Iterator[Row]:
    for size, reliable in product(effort.sizes, (True, False)):
        count = min(effort.volume // size, effort.volume // 100)

        def measure(kind: str) -> Result:
            return throughput(peers.command(kind), count, size, reliable)  # noqa: B023 - called in this round

        for row in taking_turns(effort.runs, peers.among(*OURS), measure):
            yield {"size": size, "reliable": reliable, **row}


def world(peers: Peers, kind: str, style: str, players: int, rate: int, seconds: float, settle: float) -> Result:
    """Return the cost of a server with players, pump included, measured from outside. With rate 0 all only wait."""
    with running([*peers.command(kind), "world", players, rate, int(rate * seconds), style]) as server:
        port = server.line()
        empty = usage(server.pid, server.pid).memory
        with running([*peers.command("cpp-core"), "play", port, players, rate]):
            reader = int(server.result()["reader"])
            if rate:
                server.line()
            else:
                time.sleep(settle)  # for work that follows the handshakes
            before = usage(server.pid, reader)
            if rate:
                found = server.result()
                found = {"late": found["late"], "received": found["inputs"] / (players * int(rate * seconds))}
            else:
                time.sleep(seconds)
                found = {}
            after = usage(server.pid, reader)
    return found | {
        "cpu": (after.cpu - before.cpu) / seconds,
        "wakeups": (after.wakeups - before.wakeups) / seconds,
        "memory": (before.memory - empty) / players,
    }


def tick(peers: Peers, effort: Effort) -> Iterator[Row]:
    ways = [("cpp-service", "once_a_tick"), ("cpp-inline", "as_it_comes")]
    ways += product(("cpp-core", "gns_py-sync"), ("once_a_tick", "as_it_comes"))
    ways += product(("gns_py-asyncio", "gns_py-uvloop"), ("poll_group", "handlers"))
    for players in effort.players:

        def measure(kind: str, style: str) -> Result:
            return world(peers, kind, style, players, tables.TICK_RATE, effort.tick_seconds, 0.0)  # noqa: B023 - in this round

        for row in taking_turns(min(effort.runs, 3), peers.ways(ways), measure):
            yield {"players": players, **row, "ticks": int(tables.TICK_RATE * effort.tick_seconds)}


def idle(peers: Peers, effort: Effort) -> Iterator[Row]:
    ways = [("cpp-service", "once_a_tick"), ("cpp-inline", "as_it_comes"), ("cpp-core", "as_it_comes")]
    ways += [("gns_py-sync", "as_it_comes"), ("gns_py-sync", "in_a_thread")]
    ways += product(("gns_py-asyncio", "gns_py-uvloop"), ("handlers",))

    def measure(kind: str, style: str) -> Result:
        return world(peers, kind, style, effort.connections, 0, effort.idle_seconds, effort.settle_seconds)

    yield from taking_turns(1, peers.ways(ways), measure)


def copied(_peers: Peers, effort: Effort) -> Iterator[Row]:
    yield from copies.measure(effort.copy_sizes, effort.copied)


PARTS: dict[str, Callable[[Peers, Effort], Iterator[Row]]] = {
    "compare": compare,
    "compare_one_way": compare_one_way,
    "system_calls": system_calls,
    "round_trip": round_trip,
    "one_way": one_way,
    "tick": tick,
    "idle": idle,
    "copies": copied,
}


def machine() -> dict[str, str]:
    """Describe this machine, without names."""
    info = gns_py.build_info()
    return {
        "processor": f"{os.cpu_count()} cores, {platform.machine()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "library": f"GNS {info.gns_version}, {info.crypto}, {info.compiler}, {info.mode}, {info.build_type}",
    }


def chosen(names: str | None) -> list[str]:
    """Return the kinds to measure: those named, or all that can run here."""
    if unknown := set(names.split(",") if names else []) - set(KINDS):
        raise SystemExit(f"{unknown.pop()!r} is not one of {', '.join(KINDS)}")
    kinds = names.split(",") if names else list(KINDS)
    missing = {kind: KINDS[kind].missing() for kind in kinds}
    for kind, what in missing.items():
        if what:
            print(f"{kind} is left out: it needs {what}", file=sys.stderr)
    return [kind for kind in kinds if not missing[kind]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement: a minute instead of many")
    parser.add_argument("--tiny", action="store_true", help="only to see that it works")
    parser.add_argument("--runs", type=int, help=f"number of measurements of each figure (default: {Effort().runs})")
    parser.add_argument("--only", metavar="KIND,...", help=f"of {', '.join(KINDS)} (default: all)")
    parser.add_argument(
        "--cores",
        choices=CORES,
        default="apart",
        help="of the ends of a round trip: one for each (default), one for both, or as the system likes",
    )
    parser.add_argument("--output", type=Path, help="default: benchmarks/results.json")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"{unknown.pop()!r} is not one of {', '.join(PARTS)}")
    effort = TINY if arguments.tiny else QUICK if arguments.quick else Effort()
    if arguments.runs:
        effort = effort._replace(runs=arguments.runs, compare_runs=arguments.runs)
    special = arguments.only or arguments.cores != "apart"
    output = arguments.output or (None if special else HERE / "results.json")
    results = json.loads(output.read_text()) if output and output.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        peers = Peers(Path(folder), chosen(arguments.only), arguments.cores)
        for part in arguments.parts or PARTS:
            if part == "system_calls" and not shutil.which("strace"):
                print("system_calls is left out: it needs strace", file=sys.stderr)
                continue
            load, now = os.getloadavg()[0], datetime.now(timezone.utc)
            rows = list(PARTS[part](peers, effort))
            results[part] = {"when": f"{now:%Y-%m-%d %H:%M}", "load": load, "machine": machine(), "rows": rows}
            print(f"{tables.TITLES[part]}\n\n{tables.TABLES[part](rows)}\n", flush=True)
            if output:
                output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
