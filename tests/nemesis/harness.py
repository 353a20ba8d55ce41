"""Starts the processes, does what the schedule says, and has the histories checked."""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from support.peer import Peer

from .checker import Checker, Totals
from .durable_checker import DurableChecker
from .history import History, merged
from .places import Home, Namespaces, namespaces, sweep
from .roles import Settings
from .schedule import DURABLE_WEIGHTS, FLUSH, HARM, OF_NETWORKS, WEIGHTS, Step, schedule
from .settings import DETECTED, DURABLE_WINDOW, PATIENCE
from .stores import STORES, Store

PROGRAM = Path(__file__).resolve().parent / "process.py"
APIS = ("sync", "asyncio", "uvloop")
PORT = 27_015
ANSWER = 20.0
CLEAR = f"network {json.dumps({'direction': 'both'})}"
WRONG_IN_LOG = re.compile(r"Traceback|Exception ignored|never awaited|^(ERROR|CRITICAL) |ResourceWarning", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """The settings of a run."""

    seed: int
    seconds: float
    servers: int = 2
    clients: int = 3
    workers: int = 4
    lasts: float = 15.0
    """Seconds that the longest sessions last."""
    is_networked: bool = True
    """True: in network namespaces, with partitions."""
    without: frozenset[str] = frozenset()
    """Steps that are left out."""
    store: str = ""
    """The kind of the store, for durable sessions."""
    flushes: bool = False
    """True: the store also loses all of its data."""

    @property
    def loses_commits(self) -> bool:
        """True if a failover of the store may lose commits: in every other run they wait for the replica."""
        return self.store == "sentinel" and self.seed % 2 == 0

    @property
    def weights(self) -> dict[str, int]:
        """The steps, and how often each is chosen."""
        return {**(DURABLE_WEIGHTS if self.store else WEIGHTS), **(FLUSH if self.flushes else {})}


@dataclass
class Result:
    """The result of a run."""

    wrong: list[str]
    totals: Totals
    steps: Counter[str] = field(default_factory=Counter)


class Slot:
    """A place, and the process that is there now."""

    def __init__(self, harness: Harness, role: str, place: int, api: str, *, is_tight: bool) -> None:
        self._harness = harness
        self.role = role
        self.place = place
        self._api = api
        self._is_tight = is_tight
        self._incarnations = 0
        self._port = harness.port() if role == "server" else 0
        self.is_alive = False
        self.stopped = 0
        """How many steps want it stopped."""
        self.start()

    @property
    def name(self) -> str:
        return f"{self.role[0]}{self._harness.run.seed}_{self.place}-{self._incarnations}"

    @property
    def address(self) -> tuple[str, int]:
        """Where a server listens; its successor listens there, too."""
        return self._harness.places.host(self.place), self._port

    def start(self) -> None:
        """Start a process."""
        harness = self._harness
        self._incarnations += 1
        history = harness.folder / f"{self.name}.history"
        settings = Settings(
            role=self.role,
            api=self._api,
            name=self.name,
            history=str(history),
            lasts=harness.run.lasts,
            is_tight=self._is_tight,
            host=self.address[0],
            port=self._port,
            namespace=harness.places.file(self.place),
            servers=tuple(server.address for server in harness.servers) if self.role == "client" else (),
            workers=harness.run.workers,
            is_durable=harness.store is not None,
            **harness.store_settings(self.role),
        )
        harness.histories[self.name] = history
        errors = Path(tempfile.mkdtemp(dir=harness.folder))
        self.peer = harness.stack.enter_context(Peer(PROGRAM, errors, json.dumps(asdict(settings))))
        port = int(self.peer.line(ANSWER))
        self._port = port or self._port
        self.is_alive = True
        self.stopped = 0

    def kill(self) -> Iterator[None]:
        """Kill the process without a goodbye; go on after the yield to start the next one."""
        self._harness.look_at_log(self)
        self._harness.killed.append(self.name)
        self.peer.kill()
        self.is_alive = False
        yield
        self.start()

    def order(self, line: str, timeout: float = ANSWER) -> int:
        """Give an order, and return the answer. Raises AssertionError."""
        try:
            self.peer.say(line)
        except BrokenPipeError:
            raise AssertionError(f"{self.name} has ended: {self.peer.stderr[-3_000:]}") from None
        return int(self.peer.line(timeout))


class Harness:
    """One run."""

    def __init__(self, stack: ExitStack, run: Run, folder: Path) -> None:
        self.stack = stack
        self.run = run
        self.folder = folder
        self.is_networked = run.is_networked
        count = run.servers + run.clients
        size = STORES[run.store].size if run.store else 0
        self.places: Home = stack.enter_context(namespaces(count + size)) if run.is_networked else Home()
        self.killed: list[str] = []
        self.histories: dict[str, Path] = {}
        self.store: Store | None = None
        if run.store:
            self.histories["store"] = folder / "store.history"
            history = stack.enter_context(contextlib.closing(History(self.histories["store"])))
            self.store = STORES[run.store](stack, self.places, count, history, is_safe=not run.loses_commits)
            self._store_places = range(count, count + size)
        self.wrong: list[str] = []
        self.steps: Counter[str] = Counter()
        rng = random.Random(f"processes {run.seed}")
        apis = [rng.sample(APIS, len(APIS)), rng.sample(APIS, len(APIS))]
        self.servers: list[Slot] = []
        for place in range(run.servers):
            api = apis[0][place % len(APIS)]
            self.servers.append(Slot(self, "server", place, api, is_tight=rng.random() < 0.5))
        self.clients = [
            Slot(self, "client", run.servers + number, apis[1][number % len(APIS)], is_tight=rng.random() < 0.3)
            for number in range(run.clients)
        ]

    def port(self) -> int:
        """Return the port of a server; 0: it finds one itself."""
        if self.is_networked:
            return PORT
        if self.store is None:
            return 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
            found.bind(("127.0.0.1", 0))
            return int(found.getsockname()[1])

    def store_settings(self, role: str) -> dict[str, Any]:
        """Return the settings of a process that are about the store."""
        if self.store is None or role == "client":
            return {}
        return {"store": tuple(self.store.addresses), "replicas": self.store.replicas}

    def disturb(self) -> None:
        """Do what the schedule says, and undo all of it."""
        run = self.run
        begin = time.monotonic()
        undo: list[tuple[float, Iterator[None]]] = []
        for step in schedule(run.seed, run.seconds, run.servers, run.clients, weights=run.weights):
            self._pass_until(begin + step.at, undo)
            if step.name in run.without or (step.name in OF_NETWORKS and not self.is_networked):
                continue
            doing = self._do(step)
            next(doing, None)
            lasts = step.lasts
            if step.name == "stop store" and self.store is not None:
                lasts = min(lasts, self.store.longest_stop)
            undo.append((time.monotonic() + lasts, doing))
        self._pass_until(begin + run.seconds, undo)
        self._pass_until(max([each for each, _ in undo], default=0.0), undo)

    @staticmethod
    def _pass_until(until: float, undo: list[tuple[float, Iterator[None]]]) -> None:
        """Wait, and undo meanwhile what is due."""
        while True:
            undo.sort(key=lambda each: each[0])
            due = undo[0][0] if undo else until
            time.sleep(max(0.0, min(due, until) - time.monotonic()))
            if not undo or due > until:
                return
            next(undo.pop(0)[1], None)

    def _do(self, step: Step) -> Iterator[None]:
        """Do a step; go on after the yield to undo it."""
        client, server = self.clients[step.client], self.servers[step.server]
        target = server if step.name.endswith(" server") and step.name.startswith(("stop", "kill")) else client
        places = self.places
        needs_answer = step.name in ("network", "reconnect", "take over", "crowd")
        if needs_answer and target.stopped:
            self.steps[f"{step.name}, left out: stopped"] += 1
            return
        if not target.is_alive:
            self.steps[f"{step.name}, left out: dead"] += 1
            return
        if step.name in HARM and self.store is not None and not self.store.is_ready():
            self.steps[f"{step.name}, left out: it is not whole"] += 1
            return
        self.steps[step.name] += 1
        match step.name:
            case "stop client" | "stop server":
                peer = target.peer
                peer.process.send_signal(signal.SIGSTOP)
                target.stopped += 1
                yield
                if peer is target.peer:
                    target.stopped -= 1
                    if not target.stopped:
                        peer.process.send_signal(signal.SIGCONT)
            case "cut" | "cut to server" | "cut to client" | "isolate server" | "cut store":
                assert isinstance(places, Namespaces)
                for source, goal in (pairs := self._pairs(step, client, server)):
                    places.cut(source, goal)
                yield
                for source, goal in pairs:
                    places.mend(source, goal)
            case "move":
                assert isinstance(places, Namespaces)
                places.move(client.place)
            case "network":
                yield from self._network(step, client)
            case "reconnect":
                client.order(f"reconnect {step.options['count']}")
            case "crowd":
                client.order(f"crowd {step.options['count']} crowd")
            case "take over":
                client.order(f"crowd 1 {step.options['worker']}")
            case "kill client" | "kill server":
                yield from target.kill()
            case name if name in HARM:
                assert self.store is not None
                yield from self.store.harm(name.partition(" ")[0])
            case _:
                raise AssertionError(step)

    def _pairs(self, step: Step, client: Slot, server: Slot) -> list[tuple[int, int]]:
        match step.name:
            case "cut to server":
                return [(client.place, server.place)]
            case "cut to client":
                return [(server.place, client.place)]
            case "cut":
                return [(client.place, server.place), (server.place, client.place)]
            case "cut store":
                there = list(self._store_places)
                return [(each, server.place) for each in there] + [(server.place, each) for each in there]
            case _:
                there = [each.place for each in self.clients]
                return [(each, server.place) for each in there] + [(server.place, each) for each in there]

    @staticmethod
    def _network(step: Step, client: Slot) -> Iterator[None]:
        peer = client.peer
        client.order(f"network {json.dumps(step.options)}")
        yield
        if peer is client.peer and not client.stopped:
            client.order(CLEAR)

    def finish(self) -> None:
        """Let the sessions come to their ends, and the processes."""
        for slot in self.clients:
            with self._complaining(slot):
                slot.order(CLEAR)
                if left := slot.order("stop", 2 * PATIENCE):
                    self.wrong.append(f"{slot.name}: {left} sessions do not end")
                    self._where(slot)
        deadline = time.monotonic() + 3 * (DURABLE_WINDOW + DETECTED)
        for slot in self.servers:
            with self._complaining(slot):
                while left := slot.order("status"):
                    if time.monotonic() > deadline:
                        self.wrong.append(f"{slot.name}: {left} sessions do not end")
                        self._where(slot)
                        break
                    time.sleep(0.05)
                slot.order("close", 2 * PATIENCE)
        for slot in (*self.clients, *self.servers):
            assert slot.peer.process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                slot.peer.process.stdin.close()
            try:
                code: int | None = slot.peer.process.wait(ANSWER)
            except subprocess.TimeoutExpired:
                code = None
                self._where(slot)
            if code:
                self.wrong.append(f"{slot.name}: exit code {code}: {slot.peer.stderr[-3_000:]}")
            self.look_at_log(slot)

    def look_at_log(self, slot: Slot) -> None:
        """Note what a process has complained of."""
        if WRONG_IN_LOG.search(slot.peer.stderr):
            self.wrong.append(f"{slot.name}: log: {slot.peer.stderr[:3_000]}")

    @contextlib.contextmanager
    def _complaining(self, slot: Slot) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            self.wrong.append(f"{slot.name}: {error}")
            self._where(slot)

    def _where(self, slot: Slot) -> None:
        """Note where the threads of a process are."""
        with contextlib.suppress(ProcessLookupError):
            slot.peer.process.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        self.wrong.append(f"{slot.name} hangs: {slot.peer.stderr[-6_000:]}")

    def result(self) -> Result:
        """Check the histories."""
        checker = Checker() if self.store is None else DurableChecker()
        checker.read(merged(self.histories))
        checker.judge(self.killed)
        return Result(self.wrong + checker.wrong, checker.totals, self.steps)


def run(given: Run, keep: Path | None = None) -> Result:
    """Run it in processes, and perhaps namespaces, none of which is left.

    Args:
        given: The settings.
        keep: The folder for the histories; None for a temporary one.
    """
    sweep()
    with ExitStack() as outer:
        folder = keep or Path(outer.enter_context(tempfile.TemporaryDirectory()))
        with ExitStack() as stack:
            try:
                harness = Harness(stack, given, folder)
                harness.disturb()
                harness.finish()
            finally:
                # From here on a second Ctrl-C waits until everything is gone.
                ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
                before = {each: signal.signal(each, signal.SIG_IGN) for each in ending}
                stack.close()
                for each, handler in before.items():
                    signal.signal(each, handler)
        return harness.result()
