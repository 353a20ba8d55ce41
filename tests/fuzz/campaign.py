"""A server process, a good client, and attacks on the server, with the results that are not allowed."""

from __future__ import annotations

import contextlib
import json
import random
import re
import tempfile
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from support.peer import Peer

import gns_py.sync as gns
from gns_py.session import CloseReason
from gns_py.session import sync as sessions

from .inputs import Sequence, Shot
from .phases import ANSWER, ESTABLISHED, LATE, PHASES, Attacker

HERE = Path(__file__).resolve().parent
# At the same time, so that attackers waiting for the server's time limits delay nothing.
AT_ONCE = 100
# Seconds that an attacker may stay; the server's ping timeout is in between.
STAYS = 0.0, 0.2, 0.2, 1.5, 4.0
LOOK_EVERY = 40
# Recent inputs, among which the harmful one may be.
RECENT = 150
# Seconds with the good client alone.
ALONE = 0.3
# The server's time limits, and GNS's own for connections that linger.
SETTLED = 15.0
# Connections that have ended and that loops still hold in a variable, for each port.
KEPT = 10
# Codes below this are the application's.
FIRST_NATIVE = 3_000
MIB = 1 << 20
REASONS = {reason.native_code: reason for reason in CloseReason}
WRONG_IN_LOG = re.compile(r"Traceback|Exception ignored|never awaited|^(ERROR|CRITICAL) |ResourceWarning", re.MULTILINE)


@dataclass
class Settings:
    """Settings of the whole campaign."""

    seed: int
    folder: Path
    worst: float = 1_000.0
    """The longest allowed round trip of the good client, in ms."""


class Wrong(Exception):  # noqa: N818 - it is the server's
    """A result that a server must not allow."""


class LeftBehind(Wrong):
    """A resource was not given back."""


@dataclass
class Figures:
    """Figures of what was observed."""

    inputs: int = 0
    messages: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    round_trips: list[float] = field(default_factory=list)
    quiet_round_trips: list[float] = field(default_factory=list)
    growth: list[float] = field(default_factory=list)
    cpu: float = 0.0
    seconds: float = 0.0
    threads: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, began: Measure) -> None:
        """Add what a server has used since then."""
        now = Measure(began.process)
        self.growth.append((now.rss - began.rss) / MIB)
        self.cpu += now.cpu - began.cpu
        self.seconds += now.at - began.at

    def __str__(self) -> str:
        ends = ", ".join(f"{count} {name}" for name, count in self.ends.most_common())
        phases = ", ".join(f"{count} {name}" for name, count in self.phases.most_common())
        return "\n".join(
            (
                f"{self.inputs} inputs, {self.messages} messages, in {self.seconds:.0f} s",
                f"phases: {phases}",
                f"ends: {ends}",
                f"the good client's round trips, alone: {_percentiles(self.quiet_round_trips)}",
                f"the good client's round trips, meanwhile: {_percentiles(self.round_trips)}",
                f"servers: {self.cpu / max(self.seconds, 1e-9):.2f} cores, at most {self.threads} threads",
                f"memory grew by {max(self.growth, default=0.0):.1f} MiB at most",
                *(f"WRONG: {each}" for each in self.wrong),
            )
        )


def _percentiles(times: list[float]) -> str:
    ordered = sorted(times)
    if not ordered:
        return "none"
    parts = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    shown = ", ".join(f"{name} {ordered[int(part * (len(ordered) - 1))]:.1f}" for name, part in parts.items())
    return f"{len(ordered)}, {shown}, worst {ordered[-1]:.1f} ms"


class Victim:
    """A server process and its good client."""

    def __init__(self, api: str, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._server = self._stack.enter_context(Peer(HERE / "victim.py", fresh(folder), api))
        self.ports: dict[str, int] = json.loads(self._server.line(ANSWER * 2))
        self.process = psutil.Process(self._server.process.pid)
        self._client = self._stack.enter_context(Peer(HERE / "good_client.py", fresh(folder), self.ports["echo"]))
        self._log_was_right = 0
        deadline = time.monotonic() + ANSWER * 2
        while not self.round_trips():
            if time.monotonic() > deadline:
                raise AssertionError("the good client has not begun")
            time.sleep(0.02)

    def __enter__(self) -> Victim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def round_trips(self) -> list[float]:
        """Return the good client's round trips since the last call, in ms. Raises Wrong."""
        self._client.say("")
        told = json.loads(self._client.line(ANSWER))
        if told["failure"] is not None:
            raise Wrong(f"the good client failed: {told['failure']}")
        times: list[float] = told["times"]
        return times

    def status(self) -> dict[str, Any]:
        """Return the server's report about itself. Raises Wrong."""
        self._server.say("")
        try:
            told: dict[str, Any] = json.loads(self._server.line(ANSWER))
        except AssertionError as error:
            raise Wrong(f"the server does not tell how it stands: {error}") from None
        return told

    def check_log(self) -> None:
        """Check the log. Raises Wrong."""
        log = self._server.stderr
        if self._server.process.poll() is not None:
            raise Wrong(f"the server has ended with {self._server.process.returncode}: {log[-2_000:]}")
        if WRONG_IN_LOG.search(log, self._log_was_right):
            raise Wrong(f"the server's log: {log[self._log_was_right :][:3_000]}")
        self._log_was_right = max(self._log_was_right, log.rfind("\n") + 1)

    def check_newcomers(self) -> None:
        """Connect another good client to each port. Raises Wrong."""
        for port in self.ports:
            try:
                with sessions.connect("127.0.0.1", self.ports[port], timeout=ANSWER) as session:
                    if port in ("echo", "picky", "accept"):
                        session.send(b"new here")
                        if session.recv(ANSWER) != b"new here":
                            raise Wrong(f"a new client of port {port!r} got another answer")
            except (gns.ConnectionClosed, sessions.SessionClosed, TimeoutError) as error:  # noqa: PERF203
                raise Wrong(f"a new client of port {port!r}: {type(error).__name__}: {error}") from None

    def check_nothing_left(self) -> None:
        """Check that all but the good client's session is gone, or ends within the server's own time limits.

        Raises LeftBehind, Wrong.
        """
        deadline = time.monotonic() + SETTLED
        while True:
            status = self.status()
            left = sum(status["sessions"].values()), status["connections"], status["accepted"]
            if left == (1, 1, 0) and status["kept"] <= KEPT * len(self.ports):
                break
            if time.monotonic() > deadline:
                raise LeftBehind(f"left behind: {status}")
            time.sleep(0.1)
        if len(status["serving"]) != len(self.ports):
            raise Wrong(f"not every port is served any more: {status}")


def fresh(folder: Path) -> Path:
    """Return an empty folder."""
    return Path(tempfile.mkdtemp(dir=folder))


@dataclass
class Attack:
    """An input that is being sent."""

    number: int
    port: str
    phase: str
    shots: list[Shot]
    stays: float
    attacker: Attacker | None = None
    deadline: float = 0.0
    waits_for: str | None = None

    def __str__(self) -> str:
        return f"input {self.number}, port {self.port!r}, {self.phase}: " + "; ".join(map(str, self.shots))

    @classmethod
    def make(cls, seed: int, number: int) -> Attack:
        """Return the input of this seed and number, always the same one."""
        rng = random.Random(f"{seed}/{number}")
        phase = rng.choice(tuple(PHASES))
        port = rng.choice(PHASES[phase][0])
        sequence = Sequence(rng, {0: 20} if phase == "established, no credit left" else {})
        shots = sequence.shots(established=phase in ESTABLISHED)
        return cls(number, port, phase, shots, rng.choice(STAYS))

    def begin(self, ports: dict[str, int], seed: int) -> None:
        """Reach the phase and send the messages. Raises Wrong."""
        try:
            self.attacker = attacker = Attacker(ports[self.port])
            lanes = 1 + max((shot.lane for shot in self.shots), default=0)
            if lanes > 1:
                attacker.raw.configure_lanes([0] * lanes)
            PHASES[self.phase][1](attacker, random.Random(f"{seed}/{self.number}/phase"))
            self.waits_for = LATE.get(self.phase)
            if self.waits_for is None:
                self._shoot(attacker)
        except (gns.ConnectFailed, TimeoutError) as error:
            raise Wrong(f"{self.phase} could not be reached: {type(error).__name__}: {error}") from None
        except gns.ConnectionClosed:
            pass  # it has had enough
        except AssertionError as error:
            raise Wrong(str(error)) from None
        finally:
            self.deadline = time.monotonic() + (self.stays if self.waits_for is None else ANSWER)

    def _shoot(self, attacker: Attacker) -> None:
        with contextlib.suppress(gns.ConnectionClosed, gns.SendQueueFull):
            for shot in self.shots:
                attacker.raw.send(shot.message, reliable=shot.reliable, lane=shot.lane, nagle=False)

    def is_over(self) -> bool:
        """Return whether the server has ended the connection, or will not. Raises Wrong."""
        assert self.attacker is not None
        try:
            self.attacker.read()
        except AssertionError as error:
            raise Wrong(str(error)) from None
        is_late = time.monotonic() > self.deadline
        if self.attacker.end is not None or self.waits_for is None:
            return self.attacker.end is not None or is_late
        if self.attacker.has(self.waits_for):
            self.waits_for = None
            self._shoot(self.attacker)
            self.deadline = time.monotonic() + self.stays
        elif is_late:
            raise Wrong(f"{self.phase} could not be reached: no {self.waits_for}")
        return False

    def finish(self) -> str:
        """Check how it ended. Raises Wrong."""
        if self.attacker is None:
            return "not begun"
        end = self.attacker.end
        self.attacker.vanish()
        if end is None:
            return "goes on"
        reason = REASONS.get(end.code)
        if reason is CloseReason.INTERNAL_ERROR or end.code == gns.EndReason.INTERNAL_ERROR:
            raise Wrong(f"the server calls it its own fault: {end}")
        name = reason or (end.reason if end.code >= FIRST_NATIVE else None)
        return f"{end.closed_by.name} {name.name if name else int(end.code)}"


class Measure:
    """Return what the process uses."""

    def __init__(self, process: psutil.Process) -> None:
        self.process = process
        times = process.cpu_times()
        self.rss = process.memory_info().rss
        self.cpu = times.user + times.system
        self.at = time.monotonic()


class Campaign:
    """Attacks on one server process."""

    def __init__(self, victim: Victim, figures: Figures, settings: Settings) -> None:
        self._victim = victim
        self._figures = figures
        self._settings = settings
        self.number = 0
        """The number of the next input."""
        self.under_way: list[Attack] = []
        self.recent: deque[Attack] = deque(maxlen=RECENT)

    def run(self, first: int, until: float, inputs: int | None) -> None:
        """Attack until then, or with this many inputs, beginning with that number. Raises Wrong."""
        self.number = first
        time.sleep(ALONE)
        self._figures.quiet_round_trips += self._victim.round_trips()
        began = Measure(self._victim.process)
        while time.monotonic() < until and self.number - first != inputs:
            attack = Attack.make(self._settings.seed, self.number)
            self.number += 1
            self.begin(attack)
            self.settle(AT_ONCE)
            if self.number % LOOK_EVERY == 0:
                self.look()
        self.settle(0)
        self.finish()
        self._figures.add(began)

    def begin(self, attack: Attack) -> None:
        """Start one more attack. Raises Wrong."""
        self.under_way.append(attack)
        self.recent.append(attack)
        attack.begin(self._victim.ports, self._settings.seed)
        self._figures.inputs += 1
        self._figures.messages += len(attack.shots)
        self._figures.phases[attack.phase] += 1

    def settle(self, at_most: int) -> None:
        """Wait until at most this many attacks are in progress. Raises Wrong."""
        while True:
            for attack in list(self.under_way):
                if attack.is_over():
                    self.under_way.remove(attack)
                    self._figures.ends[attack.finish()] += 1
            if len(self.under_way) <= at_most:
                return
            time.sleep(0.002)

    def look(self) -> None:
        """Check that the good client is served and that the log is empty. Raises Wrong."""
        self._victim.check_log()
        times = self._victim.round_trips()
        self._figures.round_trips += times
        self._figures.threads = max(self._figures.threads, self._victim.process.num_threads())
        if times and max(times) > self._settings.worst:
            raise Wrong(f"the good client waited for {max(times):.0f} ms")

    def finish(self) -> None:
        """Check that the server is healthy afterwards. Raises Wrong."""
        self.look()
        self._victim.check_newcomers()
        self._victim.check_nothing_left()
        self.look()

    def abandon(self) -> None:
        """Drop all attacks."""
        for attack in self.under_way:
            if attack.attacker is not None:
                attack.attacker.vanish()
