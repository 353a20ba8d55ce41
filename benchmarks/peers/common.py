"""The common part of all Python peers: their commands and their measurements."""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

BATCH = 256
WORLD_SIZE = 200
_SUM = struct.Struct("3d")


def say(what: object) -> None:
    """Print a line for the program that measures."""
    print(what if isinstance(what, str) else json.dumps(what), flush=True)


def run(arguments: list[str], **commands: Callable[..., Any]) -> Any:  # noqa: ANN401 - what the command returns
    """Call a command with its arguments, which are numbers."""
    name, *numbers = arguments
    return commands[name](*map(int, numbers))


class RoundTrips:
    """The times of round trips in microseconds. The first tenth, for warming up, does not count."""

    def __init__(self, count: int) -> None:
        self.turns = range(-count // 10, count)
        self._times: list[float] = []
        self._cpu = 0.0

    def note(self, turn: int, begin: float) -> None:
        """Record a round trip that has ended now. After the last one that does not count, wait for a line."""
        if turn >= 0:
            self._times.append((time.perf_counter() - begin) * 1e6)
        elif turn == -1:
            say("ready")
            sys.stdin.readline()
            self._cpu = time.process_time()

    def report(self) -> None:
        cpu = time.process_time() - self._cpu
        times = sorted(self._times)
        shares = {"p50": 0.5, "p99": 0.99, "p999": 0.999}
        say({name: times[int(share * len(times))] for name, share in shares.items()} | {"cpu": cpu})


class CalledRoundTrips(RoundTrips):
    """Round trips with a library that calls back: the answer to one begins the next."""

    def __init__(self, count: int, size: int, send: Callable[[bytes], None], done: Callable[[None], None]) -> None:
        super().__init__(count)
        self._data = b"x" * size
        self._send, self._done = send, done
        self._turn, self._begin = self.turns.start, 0.0

    def ask(self) -> None:
        self._begin = time.perf_counter()
        self._send(self._data)

    def answered(self) -> None:
        self.note(self._turn, self._begin)
        self._turn += 1
        if self._turn < self.turns.stop:
            self.ask()
        else:
            self._done(None)


class Counter:
    """A receiver's count of messages, and its cost."""

    def __init__(self) -> None:
        self.count = 0
        self._begin, self._cpu = time.perf_counter(), time.process_time()

    def sum(self) -> bytes:
        """Return the count, the seconds and the processor time since the beginning, for the sender."""
        return _SUM.pack(self.count, time.perf_counter() - self._begin, time.process_time() - self._cpu)


class Service:
    """A server's answers to one client, whose first message says what to do with the others.

    E echoes them, S counts them until one of a single byte, F, asks for the sum.
    """

    def __init__(self) -> None:
        self._mode = b""
        self._counter = Counter()

    def answer(self, data: bytes) -> bytes | None:
        if not self._mode:
            self._mode = data
            self._counter = Counter()
            return None
        if self._mode == b"E":
            return data
        if len(data) == 1:
            return self._counter.sum()
        self._counter.count += 1
        return None


class Sender:
    """A sender's cost, reported with the receiver's sum."""

    def __init__(self) -> None:
        self._cpu = time.process_time()

    def report(self, answer: bytes) -> None:
        received, seconds, receiver_cpu = _SUM.unpack(answer)
        result = {"received": received, "seconds": seconds, "receiver_cpu": receiver_cpu}
        say(result | {"sender_cpu": time.process_time() - self._cpu})


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
