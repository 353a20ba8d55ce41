"""Compare Python with C++ through the same core, in one run, as ratios.

Prints tables and writes benchmarks/results.json.

Usage: python benchmarks/run.py [--quick] [--runs N] [--output FILE] [PART ...]. Needs gns_py[bench] installed, a C++
compiler, Linux and two free cores. Each figure is the median of the runs, in which the languages take turns, so that a
machine that slows down affects all. The file keeps its results of parts that are not measured. plot.py draws it.

GNS sends 256 KiB/s by default: here the rate is 40 MB/s, and the buffers are large enough for it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import copies
import tables
from peers import HERE, Command, Result, build, commands, running, usage

import gns_py

TICK_RATE = 30  # Hz
Row = dict[str, Any]
Commands = dict[str, Command]


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


QUICK = Effort(1, trips=1000, volume=5_000_000, players=(300,), tick_seconds=2.0, connections=300, idle_seconds=3.0)
# Only to see that it works.
TINY = Effort(1, (32,), 50, 50_000, (4,), 0.3, 4, 0.1, 0.3, (64, 524288), 1 << 16)


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


def client(command: Command, what: str, *numbers: int) -> Result:
    """Return the result of a client with a server of its own kind."""
    with running([*command, "serve"]) as server, running([*command, what, server.line(), *numbers]) as peer:
        return peer.result()


def round_trip(peers: Commands, effort: Effort) -> Iterator[Row]:
    for size in effort.sizes:

        def measure(kind: str) -> Result:
            return client(peers[kind], "round_trip", effort.trips, size)  # noqa: B023 - called in this round

        yield from ({"size": size, **row} for row in taking_turns(effort.runs, [(kind,) for kind in peers], measure))


def one_way(peers: Commands, effort: Effort) -> Iterator[Row]:
    for size, reliable in product(effort.sizes, (True, False)):
        count = min(effort.volume // size, effort.volume // 100)

        def measure(kind: str) -> Result:
            result = client(peers[kind], "one_way", count, size, int(reliable))  # noqa: B023 - called in this round
            return {
                "rate": result["received"] / result["seconds"],
                "cpu_us": (result["sender_cpu"] + result["receiver_cpu"]) / count * 1e6,  # noqa: B023
                "lost": 1 - result["received"] / count,  # noqa: B023
            }

        for row in taking_turns(effort.runs, [(kind,) for kind in peers], measure):
            yield {"size": size, "reliable": reliable, **row}


def world(peers: Commands, kind: str, style: str, players: int, rate: int, seconds: float, settle: float) -> Result:
    """Return the cost of a server with players, pump included, measured from outside. With rate 0 all only wait."""
    with running([*peers[kind], "world", players, rate, int(rate * seconds), style]) as server:
        port = server.line()
        empty = usage(server.pid, server.pid).memory
        with running([*peers["C++"], "play", port, players, rate]):
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


def tick(peers: Commands, effort: Effort) -> Iterator[Row]:
    ways = [("C++", "once_a_tick"), ("C++", "as_it_comes"), ("sync", "once_a_tick"), ("sync", "as_it_comes")]
    ways += product(("asyncio", "uvloop"), ("poll_group", "handlers"))
    for players in effort.players:

        def measure(kind: str, style: str) -> Result:
            return world(peers, kind, style, players, TICK_RATE, effort.tick_seconds, 0.0)  # noqa: B023 - in this round

        for row in taking_turns(min(effort.runs, 3), ways, measure):
            yield {"players": players, **row, "ticks": int(TICK_RATE * effort.tick_seconds)}


def idle(peers: Commands, effort: Effort) -> Iterator[Row]:
    ways = [("C++", "as_it_comes"), ("sync", "as_it_comes"), ("sync", "in_a_thread")]
    ways += product(("asyncio", "uvloop"), ("handlers",))

    def measure(kind: str, style: str) -> Result:
        return world(peers, kind, style, effort.connections, 0, effort.idle_seconds, effort.settle_seconds)

    yield from taking_turns(1, ways, measure)


def copied(_peers: Commands, effort: Effort) -> Iterator[Row]:
    yield from copies.measure(effort.copy_sizes, effort.copied)


PARTS: dict[str, Callable[[Commands, Effort], Iterator[Row]]] = {
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement: a minute instead of many")
    parser.add_argument("--tiny", action="store_true", help="only to see that it works")
    parser.add_argument("--runs", type=int, help=f"number of measurements of each figure (default: {Effort().runs})")
    parser.add_argument("--output", type=Path, default=HERE / "results.json")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"{unknown.pop()!r} is not one of {', '.join(PARTS)}")
    effort = TINY if arguments.tiny else QUICK if arguments.quick else Effort()
    if arguments.runs:
        effort = effort._replace(runs=arguments.runs)
    results = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        peers = commands(build(Path(folder)))
        for part in arguments.parts or PARTS:
            load, now = os.getloadavg()[0], datetime.now(timezone.utc)
            rows = list(PARTS[part](peers, effort))
            results[part] = {"when": f"{now:%Y-%m-%d %H:%M}", "load": load, "machine": machine(), "rows": rows}
            print(f"{tables.TITLES[part]}\n\n{tables.TABLES[part](rows)}\n", flush=True)
            arguments.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
