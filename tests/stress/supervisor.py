"""Starts the processes of the stress, kills, stops and disturbs them, and has their journals compared."""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from support.peer import Peer

from .judge import Process, Verdict, judge
from .settings import PATIENCE, SILENCE

PROGRAM = Path(__file__).resolve().parent / "process.py"
APIS = "sync", "asyncio"
CLIENTS = 3
WORKERS = 3
WRONG_IN_LOG = re.compile(r"Traceback|Exception ignored|never awaited|^(ERROR|CRITICAL) |ResourceWarning", re.MULTILINE)
# Seconds after which ended connections are gone: GNS keeps them for 5 s, and needs twice the silence to notice a
# vanished peer that it sends nothing to.
GONE = 5.0 + 3 * SILENCE
# The thread that ticks sessions, and one that reads stdin; a loop's mailbox: not there before there is a connection.
OWN_THREADS = 2
# It looks after clients that come back as long as a server of threads is open.
TICKERS = 1
OWN_DESCRIPTORS = 3
# Bytes that a server may have more after another half of a round.
GROWTH = 2 << 20
ACTIONS = {"kill": 2, "stop": 3, "stop for long": 1, "stop server": 2, "network": 4, "kill server": 1, "nothing": 2}


class Running:
    """A process that runs, and what is known of it."""

    def __init__(self, stack: ExitStack, folder: Path, role: str, api: str, seed: int, name: str) -> None:
        self.name = name
        self.api = api
        self.known = Process(folder / f"{name}.journal", role)
        self.peer = stack.enter_context(
            Peer(PROGRAM, Path(tempfile.mkdtemp(dir=folder)), role, api, self.known.journal, seed, name, WORKERS)
        )
        self.ports: dict[str, int] = {}
        self.goes_on_at: float | None = None
        """When it is to go on, if it is stopped."""
        self.before: dict[str, int] = {}

    def wait_until_ready(self) -> None:
        self.ports = json.loads(self.peer.line(PATIENCE))

    def order(self, line: str) -> dict[str, int]:
        """Send a line, and return the status after it. Raises AssertionError."""
        try:
            self.peer.say(line)
        except BrokenPipeError:
            raise AssertionError(f"{self.name} has ended: {self.peer.stderr[-3_000:]}") from None
        told: dict[str, int] = json.loads(self.peer.line(2 * PATIENCE))
        return told

    def kill(self) -> None:
        """Kill it without a goodbye."""
        self.known.killed_at = time.monotonic()
        self.peer.kill()

    def stop(self, seconds: float) -> None:
        """Stop it for that many seconds."""
        self.peer.process.send_signal(signal.SIGSTOP)
        self.goes_on_at = time.monotonic() + seconds

    def go_on(self) -> None:
        """Let it go on after stop()."""
        if self.goes_on_at is not None:
            self.peer.process.send_signal(signal.SIGCONT)
            self.goes_on_at = None


class Stress:
    """One round, which follows from its seed as far as machines allow it."""

    def __init__(self, stack: ExitStack, folder: Path, seed: int) -> None:
        self._stack = stack
        self._folder = folder
        self._seed = seed
        self._rng = random.Random(seed)
        self._count = 0
        self.wrong: list[str] = []
        self.actions: Counter[str] = Counter()
        self._all: list[Running] = []
        self._servers = [self._start("server", api) for api in APIS]
        for server in self._servers:
            server.wait_until_ready()
            server.before = server.order("status")
        self._clients: list[Running] = []

    def run(self, seconds: float, *, thorough: bool) -> Verdict:
        """Run the whole round. thorough: in two halves, so that what is left after each can be compared."""
        allocated: list[dict[str, int]] = []
        for _ in range(2 if thorough else 1):
            self._disturb(time.monotonic() + seconds / (2 if thorough else 1))
            closes_first = self._rng.random() < 0.3 and not thorough
            if closes_first:
                self._close_servers()
            self._end_clients(thorough)
            if not closes_first:
                self._check_servers()
            allocated.append(self._allocated())
        for name in allocated[0].keys() & allocated[-1].keys():  # those that were not killed in between
            if allocated[-1][name] - allocated[0][name] > GROWTH:
                self.wrong.append(f"{name}: memory grew: {allocated}")
        self._close_servers()
        for server in self._servers:
            self._end(server)
        verdict = judge([each.known for each in self._all])
        verdict.wrong = self.wrong + verdict.wrong
        return verdict

    def _allocated(self) -> dict[str, int]:
        """Return the bytes of each server."""
        told = {}
        for server in self._servers:
            with contextlib.suppress(AssertionError):  # it has ended, and that is reported elsewhere
                told[server.name] = server.order("status")["allocated"]
        return told

    # ---- processes ----

    def _start(self, role: str, api: str) -> Running:
        self._count += 1
        name = f"{role}{self._count}-{api}"
        running = Running(self._stack, self._folder, role, api, self._seed, name)
        self._all.append(running)
        return running

    def _start_client(self) -> None:
        client = self._start("client", self._rng.choice(APIS))
        client.wait_until_ready()
        client.before = client.order(f"ports {json.dumps(self._ports())}")
        self._clients.append(client)

    def _ports(self) -> dict[str, int]:
        """Return either server."""
        first, second = self._rng.sample(self._servers, 2)
        return {"connection": first.ports["connection"], "session": second.ports["session"]}

    # ---- disturbing ----

    def _disturb(self, until: float) -> None:
        while len(self._clients) < CLIENTS:
            self._start_client()
        while (now := time.monotonic()) < until:
            for each in (*self._clients, *self._servers):
                if each.goes_on_at is not None and each.goes_on_at <= now:
                    each.go_on()
            action = self._rng.choices(tuple(ACTIONS), tuple(ACTIONS.values()))[0]
            self.actions[action] += 1
            self._act(action)
            time.sleep(self._rng.uniform(0.05, 0.5))
        for each in (*self._clients, *self._servers):
            each.go_on()
            each.order("network {}")

    def _act(self, action: str) -> None:
        rng = self._rng
        client, server = rng.choice(self._clients), rng.choice(self._servers)
        is_busy = (server if "server" in action else client).goes_on_at is not None
        match action:
            case "kill":
                self._kill(client)
                self._clients.remove(client)
                self._start_client()
            case "stop" if not is_busy:
                client.stop(rng.uniform(0.05, 1.0))
            case "stop for long" if not is_busy:
                client.stop(SILENCE + 1.5)
            case "stop server" if not is_busy:
                server.stop(rng.uniform(0.05, 1.0))
            case "network" if not is_busy:
                self._network(client if rng.random() < 0.5 or server.goes_on_at is not None else server)
            case "kill server":
                self._replace(server)

    def _kill(self, running: Running) -> None:
        running.kill()
        if WRONG_IN_LOG.search(running.peer.stderr):
            self.wrong.append(f"{running.name}: log: {running.peer.stderr[:3_000]}")

    def _network(self, running: Running) -> None:
        rng = self._rng
        network: dict[str, Any] = {
            "loss": rng.choice((0, 0, 2, 10)),
            "lag": rng.choice((0, 0, 20)),
            "reorder": rng.choice((0, 0, 10)),
            "reorder_time": rng.choice((1, 15)),
            "duplicate": rng.choice((0, 0, 20)),
            "duplicate_time": 10,
            "direction": "both",
        }
        running.order(f"network {json.dumps(network)}")

    def _replace(self, server: Running) -> None:
        self._kill(server)
        fresh = self._start("server", server.api)
        fresh.wait_until_ready()
        fresh.before = fresh.order("status")
        self._servers[self._servers.index(server)] = fresh
        for client in self._clients:
            client.go_on()
            client.order(f"ports {json.dumps(self._ports())}")

    # ---- the end ----

    def _end_clients(self, thorough: bool) -> None:
        for client in self._clients:
            try:
                left = client.order("stop")
                if left["alive"]:
                    self.wrong.append(f"{client.name}: connections are left: {left}")
                if left["tasks"]:
                    self.wrong.append(f"{client.name}: tasks are left: {left}")
            except AssertionError as error:
                self._tell_where(client, error)
            else:
                self._check_gone(client, OWN_THREADS, descriptors=thorough)
            self._end(client)
        self._clients.clear()

    def _check_servers(self) -> None:
        for server in self._servers:
            self._check_gone(server, TICKERS, descriptors=True)

    def _check_gone(self, running: Running, own_threads: int, *, descriptors: bool) -> None:
        """Check that what its connections and sessions had is given back."""
        deadline = time.monotonic() + GONE
        while True:
            try:
                left = running.order("status")
            except AssertionError as error:
                self._tell_where(running, error)
                return
            if (
                not any(left.get(what) for what in ("alive", "sessions", "connections"))
                and left["threads"] <= running.before["threads"] + own_threads
                and (left["descriptors"] <= running.before["descriptors"] + OWN_DESCRIPTORS or not descriptors)
            ):
                return
            if time.monotonic() > deadline:
                self.wrong.append(f"{running.name}: left behind: {left}, before: {running.before}")
                return
            time.sleep(0.05)

    def _close_servers(self) -> None:
        for server in self._servers:
            try:
                left = server.order("close")
            except AssertionError as error:
                self._tell_where(server, error)
                continue
            if any(left.get(what) for what in ("alive", "sessions", "connections")):
                self.wrong.append(f"{server.name}: closed, and left behind: {left}")

    def _end(self, running: Running) -> None:
        """Check that it ends by itself, with no complaint."""
        assert running.peer.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            running.peer.process.stdin.close()
        try:
            code = running.peer.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        if code != 0 or WRONG_IN_LOG.search(running.peer.stderr):
            self.wrong.append(f"{running.name}: exit code {code}, log: {running.peer.stderr[:3_000]}")

    def _tell_where(self, running: Running, error: AssertionError) -> None:
        with contextlib.suppress(ProcessLookupError):
            running.peer.process.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        self.wrong.append(f"{running.name} hangs: {error}, {running.peer.stderr[-5_000:]}")


def run_round(seed: int, seconds: float, *, thorough: bool = False) -> tuple[Verdict, Counter[str]]:
    """Run one round in processes of its own, none of which is left."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stress = Stress(stack, folder, seed)
        return stress.run(seconds, thorough=thorough), stress.actions
