"""The common part of the Python peers: the options of all connections, and their measurements."""

from __future__ import annotations

import json
import os
import time

from gns_py import Config

RATE = int(os.environ.get("BENCH_RATE", "40000000"))  # bytes/s
CONFIG = Config(
    send_rate_min=RATE,
    send_rate_max=RATE,
    send_buffer_size=32 << 20,
    recv_queue_bytes=1 << 29,
    recv_queue_messages=1 << 22,
    max_unacked_segments=32768,
)
BATCH = 256
WORLD_SIZE = 200


def say(what: object) -> None:
    """Print a line for the program that measures."""
    print(what if isinstance(what, str) else json.dumps(what), flush=True)


class RoundTrips:
    """The times of round trips in microseconds. The first tenth, for warming up, does not count."""

    def __init__(self, count: int) -> None:
        self.turns = range(-count // 10, count)
        self.times: list[float] = []

    def note(self, turn: int, begin: float) -> None:
        """Record a round trip that has ended now."""
        if turn >= 0:
            self.times.append((time.perf_counter() - begin) * 1e6)

    def report(self) -> None:
        times = sorted(self.times)
        shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
        say({name: times[int(share * len(times))] for name, share in shares.items()})


class Ticks:
    """The ticks of a server. The first ones are for warming up. A tick is late if it ends after the next one is due."""

    def __init__(self, rate: int, count: int) -> None:
        self._period = 1 / rate
        self._next = time.perf_counter() + self._period
        self._late = 0
        self.numbers = range(-rate // 3, count)

    def remaining(self) -> float:
        """Return the seconds until the next tick is due."""
        return self._next - time.perf_counter()

    def end(self, tick: int) -> None:
        """Record the end of a tick."""
        self._next += self._period
        if tick >= 0 and self.remaining() < 0:
            self._late += 1

    def report(self, inputs: int) -> None:
        say({"late": self._late, "inputs": inputs})
