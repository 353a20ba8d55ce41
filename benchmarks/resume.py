"""Measure what it costs that sessions outlive their connections, and how soon they are back.

connected: sessions with a resume window and without one, in turns: round trips of 32 B, and the processor time of both
    ends for each, and for each message of a flood. As median, and middle half of rounds.
memory: of the server for each of many idle sessions, connected, then dropped; without and with 64 KiB kept for each.
back: sessions that lose their connections: time until the first answer, few at a time and many at once.

With names of parts only these are measured; --quick is for a first impression.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from parts import run_parts
from sessions import FAST, FLOOD

import gns_py
import gns_py.session.asyncio
import gns_py.session.sync
from gns_py import Config
from gns_py.session import AdmissionRules, Phase, SessionConfig
from gns_py.sim import Network

WINDOW = 600.0
OPEN = AdmissionRules(max_pending=None, max_pending_per_address=None, max_dropped=None, max_dropped_per_address=None)
KEPT = 16, 4_096
"""Messages, and bytes of each."""
AT_ONCE = 50
Answer = Any


def crowd_config(quick: bool) -> Config:
    """Return the options of many connections: an outage is noticed after 3.5 to 6.5 s, or soon if in a hurry."""
    # A set-up among thousands may take longer than usual.
    return Config(timeout_initial=20_000, timeout_connected=500 if quick else 3_000)


# ---- processes ----


class Remote:
    """A process that does what it is asked."""

    def __init__(self, target: Callable[..., None], *arguments: object) -> None:
        processes = get_context("spawn")
        self._pipe, theirs = processes.Pipe()
        self._process = processes.Process(target=target, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, *request: object) -> Answer:
        """Return the answer to a request."""
        self.begin(*request)
        return self.finish()

    def begin(self, *request: object) -> None:
        self._pipe.send(request)

    def finish(self) -> Answer:
        return self._pipe.recv()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


@contextmanager
def remote(target: Callable[..., None], *arguments: object) -> Iterator[Remote]:
    """Run a process for the time of a block."""
    process = Remote(target, *arguments)
    try:
        yield process
    finally:
        process.kill()


def serve_sync(pipe: Pipe, window: float | None) -> None:
    """Echo messages, or answer the last one of a flood."""

    def handle(session: gns_py.session.sync.Session) -> None:
        is_flood = session.peer_data == b"flood"
        for count, data in enumerate(session, 1):
            if not is_flood or count == FLOOD:
                session.send(data, nagle=False)

    settings = SessionConfig(resume_window=window)
    with gns_py.session.sync.serve(handle, "127.0.0.1", 0, config=FAST, limits=None, session_config=settings) as server:
        pipe.recv()
        pipe.send(server.address.port)
        while pipe.recv():
            pipe.send(time.process_time())


def serve_crowd(pipe: Pipe, quick: bool) -> None:
    """Echo the messages of many clients."""

    async def handle(session: gns_py.session.asyncio.Session) -> None:
        async for data in session:
            session.send(data, nagle=False)

    async def main() -> None:
        settings = SessionConfig(resume_window=WINDOW)
        async with gns_py.session.asyncio.serve(
            handle, "127.0.0.1", 0, config=crowd_config(quick), limits=None, rules=OPEN, session_config=settings
        ) as server:
            while True:
                match await asyncio.to_thread(pipe.recv):
                    case ("port",):
                        pipe.send(server.address.port)
                    case ("cpu",):
                        pipe.send(time.process_time())
                    case ("memory",):
                        pipe.send(resident())
                    case ("keep", count, size):
                        for session in server.sessions:
                            for number in range(count):
                                session.send(number.to_bytes(4, "big") * (size // 4))
                        for session in server.sessions:
                            await session.drain()
                        pipe.send(None)
                    case ("dropped",):
                        pipe.send(sum(session.phase is Phase.DROPPED for session in server.sessions))

    asyncio.run(main())


def resident() -> int:
    """Return the resident memory of this process in bytes, without what has been freed."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def crowd(pipe: Pipe, quick: bool) -> None:
    """Be many clients."""
    asyncio.run(Crowd(pipe, crowd_config(quick)).run())


class Crowd:
    """The clients of one process."""

    def __init__(self, pipe: Pipe, config: Config) -> None:
        self._pipe = pipe
        self._config = config
        self._sessions: list[gns_py.session.asyncio.Session] = []

    async def run(self) -> None:
        while True:
            match await asyncio.to_thread(self._pipe.recv):
                case ("connect", port, count):
                    for begin in range(0, count, AT_ONCE):
                        some = (self._connect(port) for _ in range(min(AT_ONCE, count - begin)))
                        self._sessions += await asyncio.gather(*some)
                    self._pipe.send(None)
                case ("connect all", port, count):
                    begin_at = time.monotonic()
                    self._pipe.send(await asyncio.gather(*(self._fresh(port, begin_at) for _ in range(count))))
                case ("cut",):
                    gns_py.set_config(Network(loss=100, direction="both").config())
                    while any(session.phase is Phase.ESTABLISHED for session in self._sessions):
                        await asyncio.sleep(0.05)
                    self._pipe.send(None)
                case ("go on", is_cut, is_told):
                    self._pipe.send(await self._go_on(is_cut, is_told))

    async def _connect(self, port: int) -> gns_py.session.asyncio.Session:
        settings = SessionConfig(resume_window=WINDOW)
        return await gns_py.session.asyncio.connect(
            "127.0.0.1", port, timeout=60.0, config=self._config, session_config=settings
        )

    async def _fresh(self, port: int, begin: float) -> float:
        session = await self._connect(port)
        took = await self._first_answer(session, begin)
        self._sessions.append(session)
        return took

    @staticmethod
    async def _first_answer(session: gns_py.session.asyncio.Session, begin: float) -> float:
        session.send(b"first", nagle=False)
        await session.recv()
        return time.monotonic() - begin

    async def _go_on(self, is_cut: bool, is_told: bool) -> list[float]:
        """Return how long each session takes to its first answer, from the moment at which the network is there."""
        begin = time.monotonic()
        if is_cut:
            gns_py.set_config(Network(direction="both").config())
        if is_told:
            for session in self._sessions:
                session.reconnect()
        return await asyncio.gather(*(self._first_answer(session, begin) for session in self._sessions))


# ---- parts ----


def flood(session: gns_py.session.sync.Session) -> None:
    data = bytes(32)
    for number in range(FLOOD):
        if number % 256 == 0:
            session.drain()
        session.send(data)
    session.recv(60.0)


def round_trips(session: gns_py.session.sync.Session, count: int) -> float:
    """Return the median of round trips in microseconds."""
    data = bytes(32)
    took = []
    for _ in range(count):
        begin = time.perf_counter()
        session.send(data, nagle=False)
        session.recv(10.0)
        took.append(time.perf_counter() - begin)
    return statistics.median(took) * 1e6


def measure_connected(window: float | None, trips: int) -> list[float]:
    """Return the figures of one round in microseconds; each end has a core of its own."""
    settings = SessionConfig(resume_window=window)
    with ExitStack() as stack:
        cores = sorted(os.sched_getaffinity(0))
        stack.callback(os.sched_setaffinity, 0, cores)
        os.sched_setaffinity(0, cores[-1:])
        server = stack.enter_context(remote(serve_sync, window))
        os.sched_setaffinity(0, cores[:1])
        port = server.ask("port")

        def open_session(data: bytes) -> gns_py.session.sync.Session:
            session = gns_py.session.sync.connect("127.0.0.1", port, data=data, config=FAST, session_config=settings)
            stack.callback(session.abort)
            return session

        def cpu() -> float:
            return float(server.ask(True)) + time.process_time()

        session = open_session(b"trips")
        round_trips(session, trips // 10)
        before = cpu()
        p50 = round_trips(session, trips)
        cpu_of_trips = cpu() - before
        session.abort()
        session = open_session(b"flood")
        before = cpu()
        flood(session)
        return [p50, cpu_of_trips / trips * 1e6, (cpu() - before) / FLOOD * 1e6]


def connected(quick: bool) -> None:
    rounds, trips = (1, 500) if quick else (21, 10_000)
    parts = "round trip, p50", "round trip, CPU of both ends", "flood, CPU of both ends for each message"
    windows = None, 30.0
    results: dict[float | None, list[list[float]]] = {window: [] for window in windows}
    for number in range(rounds):
        for window in windows[:: -1 if number % 2 else 1]:
            results[window].append(measure_connected(window, trips))
    print("| part | without a window, us | with a window, us | more, of each round |\n|---|---:|---:|---:|")
    for at, part in enumerate(parts):
        without, having = ([figures[at] for figures in results[window]] for window in windows)
        more = sorted(b / a - 1 for a, b in zip(without, having, strict=True))
        spread = f"{more[rounds // 4]:+.1%} to {more[-1 - rounds // 4]:+.1%}"
        medians = " | ".join(f"{statistics.median(each):.2f}" for each in (without, having))
        print(f"| {part} | {medians} | {statistics.median(more):+.1%} ({spread}) |", flush=True)


def memory(quick: bool) -> None:
    count = 50 if quick else 2_000
    print("| kept for each session | connected | dropped |\n|---|---:|---:|")
    for kept in (0, 1):
        with ExitStack() as stack:
            server = stack.enter_context(remote(serve_crowd, quick))
            clients = [stack.enter_context(remote(crowd, quick)) for _ in range(2)]
            port = server.ask("port")
            clients[0].ask("connect", port, 1)  # what a server has once
            before = server.ask("memory")
            for client in clients:
                client.begin("connect", port, count // 2)
            for client in clients:
                client.finish()
            if kept:
                server.ask("keep", *KEPT)
            there = server.ask("memory")
            for client in clients:
                client.kill()
            while server.ask("dropped") < count:
                time.sleep(0.1)
            time.sleep(0.0 if quick else 8.0)  # GNS keeps a connection that has ended for a while
            left = server.ask("memory")
        size = "64 KiB" if kept else "nothing"
        print(f"| {size} | {(there - before) / count / 1024:.1f} KiB | {(left - before) / count / 1024:.1f} KiB |")
        sys.stdout.flush()


WAYS = {
    "a new connection and session": "fresh",
    "`reconnect()`, the network is fine": "change",
    "after an outage, by themselves": "wait",
    "after an outage, told by `reconnect()`": "told",
}


def back(quick: bool) -> None:
    print("| clients | how | p50 | p99 | all | CPU of the server, a client |\n|---:|---|---:|---:|---:|---:|")
    for count, rounds in ((10, 1),) if quick else ((20, 5), (2_000, 1)):
        for how, way in WAYS.items():
            took: list[float] = []
            cpu = 0.0
            with ExitStack() as stack:
                server = stack.enter_context(remote(serve_crowd, quick))
                clients = [stack.enter_context(remote(crowd, quick)) for _ in range(2)]
                port = server.ask("port")
                if way != "fresh":
                    for client in clients:
                        client.ask("connect", port, count // 2)
                for number in range(rounds):
                    if way in ("wait", "told"):
                        for client in clients:
                            client.begin("cut")
                        for client in clients:
                            client.finish()
                        while server.ask("dropped") < count:
                            time.sleep(0.05)
                        time.sleep(random.Random(number).uniform(0.0, 2.0))  # at no special moment of their pauses
                    before = server.ask("cpu")
                    for client in clients:
                        if way == "fresh":
                            client.begin("connect all", port, count // 2)
                        else:
                            client.begin("go on", way != "change", way != "wait")
                    for client in clients:
                        took += client.finish()
                    cpu += server.ask("cpu") - before
            took.sort()
            p50, p99 = (took[int(len(took) * part)] for part in (0.5, 0.99))
            times = " | ".join(map(_time, (p50, p99, took[-1])))
            print(f"| {count:,} | {how} | {times} | {cpu / len(took) * 1e3:.2f} ms |", flush=True)


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


PARTS: dict[str, Callable[[bool], None]] = {"connected": connected, "memory": memory, "back": back}


if __name__ == "__main__":
    run_parts(__doc__, PARTS)
