"""Measure calls that read a connection's state: microseconds per call in the calling thread, best of several rounds."""

from __future__ import annotations

import timeit
from collections.abc import Iterator
from contextlib import closing

import gns_py.sync as gns

CALLS = 200
ROUNDS = 50


def measure() -> Iterator[tuple[str, float]]:
    """Yield each call and its microseconds."""
    client, server = gns.socket_pair()
    with closing(client), closing(server):
        calls = {
            "stats()": client.stats,
            "lane_stats()": client.lane_stats,
            "send_queue()": client.send_queue,
            "info()": client.info,
            "state": lambda: client.state,
            "end": lambda: client.end,
        }
        for name, call in calls.items():
            yield name, min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def main() -> None:
    print("| call | us |\n|---|---:|")
    for name, us in measure():
        print(f"| {name} | {us:.2f} |")


if __name__ == "__main__":
    main()
