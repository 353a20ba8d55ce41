"""Programs that are peers in a `NatLab`, talked to in lines, with the test as their signalling service.

tests/core/p2p_peer.cpp describes the lines. A peer with another API is another program that obeys the same commands.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gns_py.sim.nat_lab import SERVER, STUN_PORT, NatLab

from .deadline import PATIENCE

_PROBLEM = re.compile(r"^GNS [12]: (.*)", re.MULTILINE)  # levels bug and error
Signal = tuple[str, str, str]
"""Sender, receiver, and the signal in hexadecimal."""


class Ice(NamedTuple):
    """Which servers a peer uses, and for what."""

    stun: str = f"{SERVER}:{STUN_PORT}"
    turn: str = f"{SERVER}:{STUN_PORT}"
    user: str = "user"
    password: str = "password"
    ice: int = 7
    """Bits: 1 relays, 2 private addresses, 4 public ones."""

    def options(self) -> list[str]:
        """Return the program's options."""
        return [f"{name}={value}" for name, value in self._asdict().items()]


class Route(NamedTuple):
    """How a connection reaches its peer."""

    kind: str
    """local, direct or relayed."""
    address: str


class End(NamedTuple):
    """How a connection ended."""

    state: str
    """closed-by-peer or problem."""
    reason: int
    text: str


class Signalling:
    """Delivers signals between the peers that have joined. `deliver` can be replaced, to lose some."""

    def __init__(self) -> None:
        self._peers: dict[str, P2PPeer] = {}
        self.passed: list[Signal] = []
        self.deliver: Callable[[Signal], None] = self.pass_on

    def join(self, peer: P2PPeer) -> None:
        """Deliver to this peer what is for its identity."""
        self._peers[peer.identity] = peer

    def pass_on(self, signal: Signal) -> None:
        """Deliver a signal."""
        self.passed.append(signal)
        if signal[1] in self._peers:
            self._peers[signal[1]].tell(f"signal {signal[0]} {signal[2]}")


class Link:
    """One end of a connection."""

    def __init__(self, peer: P2PPeer, number: str) -> None:
        self.peer = peer
        self.number = number

    def accept(self) -> None:
        """Accept the peer's request."""
        self.peer.tell(f"accept {self.number}")

    def wait_connected(self, timeout: float = 12.0) -> None:
        """Wait for the state connected."""
        words = self.peer.expect("state", self.number, ("connected", "closed-by-peer", "problem"), timeout)
        assert words[2] == "connected", words

    def end(self, timeout: float = 10.0) -> End:
        """Wait for the end and return it."""
        words = self.peer.expect("state", self.number, ("closed-by-peer", "problem"), timeout)
        return End(words[2], int(words[3]), " ".join(words[4:]))

    def send(self, text: str) -> None:
        """Send one reliable message."""
        self.peer.tell(f"send {self.number} {text}")

    def recv(self, timeout: float = 5.0) -> str:
        """Return the next message."""
        return " ".join(self.peer.expect("message", self.number, None, timeout)[2:])

    def route(self) -> Route:
        """Return the present route."""
        self.peer.tell(f"route {self.number}")
        words = self.peer.expect("route", self.number)
        return Route(words[2], words[3])

    def close(self, reason: int, text: str, *, linger: bool = False) -> None:
        """Close the connection."""
        self.peer.tell(f"close {self.number} {reason} {int(linger)} {text}")


class P2PPeer:
    """A running peer. At the end of the block it is killed."""

    def __init__(
        self,
        lab: NatLab,
        place: str,
        program: Sequence[str],
        identity: str,
        signalling: Signalling,
        ice: Ice | None = None,
        *,
        symmetric: bool = False,
    ) -> None:
        self.identity = identity
        self._lab = lab
        self._log = lab.log(identity)
        options = [*(ice or Ice()).options(), f"symmetric={int(symmetric)}"]
        self.process = lab.start(place, *program, identity, *options, errors=self._log)
        self._signalling = signalling
        self._words: list[list[str]] = []
        self._ended = False
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        signalling.join(self)
        self.expect("ready")

    def tell(self, command: str) -> None:
        """Give it a command."""
        assert self.process.stdin is not None
        with self._writing, contextlib.suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(command + "\n")

    def listen(self) -> None:
        """Listen for requests."""
        self.tell("listen")

    def connect(self, to: P2PPeer) -> Link:
        """Begin to connect."""
        self.tell(f"connect {to.identity}")
        return Link(self, self.expect("connecting")[1])

    def inbound(self, timeout: float = 5.0) -> Link:
        """Return the next request."""
        return Link(self, self.expect("inbound", timeout=timeout)[1])

    def expect(
        self, word: str, number: str | None = None, states: Sequence[str] | None = None, timeout: float = 5.0
    ) -> list[str]:
        """Return the first line like this that was not returned yet, in words. Lines may arrive in any order."""

        def find() -> list[str] | None:
            for words in self._words:
                if (
                    words[0] == word
                    and (number is None or words[1] == number)
                    and (states is None or words[2] in states)
                ):
                    self._words.remove(words)
                    return words
            return None

        with self._changed:
            found: list[list[str]] = []

            def is_there() -> bool:
                words = find()
                found.extend([words] if words else [])
                return bool(words) or self._ended

            if self._changed.wait_for(is_there, timeout * PATIENCE) and found:
                return found[0]
            raise AssertionError(f"{self.identity} said no {word} {number} {states}, but {self._words}{self._tail()}")

    def problems(self) -> list[str]:
        """Return the lines of level error or bug that GNS has logged."""
        return _PROBLEM.findall(self._lab.logged(self.identity))

    def close(self) -> None:
        """Let it end as its input ends, and wait for that."""
        assert self.process.stdin is not None
        with self._writing, contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10.0)
        self.process.kill()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            words = line.split()
            if words and words[0] == "signal":
                self._signalling.deliver((self.identity, words[1], words[2]))
                continue
            with self._changed:
                self._words.append(words)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _tail(self) -> str:
        return "\n" + self._lab.logged(self.identity)[-3000:]
