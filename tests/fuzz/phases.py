"""The phases of a session in which a hostile client may send something: each takes a raw connection there."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeAlias

from support.frames import assert_decoders_agree

import gns_py.sync as gns

from .inputs import CONFIRM, FRAMES, bye, hello, lanes, sized

# The time within which a healthy server answers, however busy the machine is.
ANSWER = 5.0

Drive: TypeAlias = Callable[["Attacker", random.Random], None]
"""Take the connection to the phase, or as far as possible without a long wait."""


class Attacker:
    """A raw connection to a server of sessions, and the frames that have arrived on it."""

    def __init__(self, port: int) -> None:
        self.raw = gns.connect(
            "127.0.0.1", port, timeout=ANSWER, config=gns.Config(send_rate_min=20 << 20, send_rate_max=20 << 20)
        )
        self.frames: list[int] = []
        """Return the types of the frames that have arrived."""

    def say(self, *messages: bytes) -> None:
        """Send messages in one packet, if one holds them."""
        self.raw.send_many(messages, nagle=False)

    def read(self) -> None:
        """Read the frames that have arrived. Raises AssertionError if the server sends anything else."""
        for event in self.raw.poll():
            if isinstance(event, gns.MessageReceived):
                data = event.message.data
                assert assert_decoders_agree(data), f"the server said {data[:100].hex()}"
                self.frames.append(data[0])

    def has(self, name: str) -> bool:
        """Return whether a frame of that type has arrived."""
        return FRAMES[name][0][0] in self.frames

    def wait_for(self, name: str) -> bool:
        """Read until a frame of that type has arrived; return whether it has when the connection ends."""
        deadline = time.monotonic() + ANSWER
        while not self.has(name):
            if self.raw.end is not None:
                return False
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {name} within {ANSWER} s")
            self.read()
            time.sleep(0.0005)
        return True

    @property
    def end(self) -> gns.ConnectionEnd | None:
        """Return how the connection has ended."""
        return self.raw.end

    def vanish(self) -> None:
        """Close without a goodbye."""
        self.raw.close(linger=False)


def _nothing(attacker: Attacker, rng: random.Random) -> None:
    pass


def _said_hello(data: bytes) -> Drive:
    def drive(attacker: Attacker, rng: random.Random) -> None:
        attacker.say(hello(data, ping=rng.choice((0, 100, 600_000))))

    return drive


def _welcome(attacker: Attacker, rng: random.Random) -> None:
    credit = rng.choice(((2**32, 2**32), (1, 1), (1_000, 10)))
    attacker.say(
        hello(max_message=rng.choice((1, 5_000, 524_272)), credit=credit, ping=rng.choice((0, 0, 100, 600_000)))
    )
    attacker.wait_for("WELCOME")


def _established(attacker: Attacker, rng: random.Random) -> None:
    _welcome(attacker, rng)
    attacker.say(CONFIRM)
    attacker.wait_for("READY")


def _confirms(attacker: Attacker, rng: random.Random) -> None:
    """Make the next messages arrive with CONFIRM in one packet, while the listen socket still reads the connection."""
    _welcome(attacker, rng)
    attacker.say(CONFIRM)


def _hasty(attacker: Attacker, rng: random.Random) -> None:  # noqa: ARG001
    """Send the whole handshake in one packet, without waiting for the answers."""
    attacker.say(hello(), CONFIRM)


def _busy(attacker: Attacker, rng: random.Random) -> None:  # noqa: ARG001
    """Make the server echo without end and with no credit left; the next messages follow that."""
    attacker.say(hello(credit=(1, 1)))
    attacker.wait_for("WELCOME")
    attacker.say(CONFIRM)
    attacker.wait_for("READY")
    attacker.say(*(FRAMES["DATA"][0] + bytes((number,)) + b"echo" for number in range(1, 21)))


def _goodbye_comes(attacker: Attacker, rng: random.Random) -> None:
    _established(attacker, rng)
    attacker.wait_for("BYE")


def _both_say_goodbye(attacker: Attacker, rng: random.Random) -> None:
    _welcome(attacker, rng)
    attacker.say(CONFIRM, bye())


def _answered(attacker: Attacker, rng: random.Random) -> None:
    _goodbye_comes(attacker, rng)
    attacker.say(FRAMES["BYE_ACK"][0] + lanes({}) + sized(b""))


def _said_goodbye(last: dict[int, int]) -> Drive:
    def drive(attacker: Attacker, rng: random.Random) -> None:
        _established(attacker, rng)
        attacker.say(bye(last))

    return drive


def _violated(attacker: Attacker, rng: random.Random) -> None:
    _established(attacker, rng)
    attacker.say(b"\xff")


def _rejected(attacker: Attacker, rng: random.Random) -> None:  # noqa: ARG001
    attacker.say(hello(b"reject"))
    attacker.wait_for("REJECT")


def _version(attacker: Attacker, rng: random.Random) -> None:  # noqa: ARG001
    attacker.say(FRAMES["HELLO"][0] + b"\x02\x03" + hello()[7:])
    attacker.wait_for("REJECT")


SERVING = ("echo", "deaf", "accept")
PHASES: dict[str, tuple[tuple[str, ...], Drive]] = {
    "before HELLO": (("echo", "picky", "accept"), _nothing),
    "HELLO, never decided": (("picky",), _said_hello(b"never")),
    "HELLO, not decided yet": (("picky",), _said_hello(b"later")),
    "HELLO, decided later": (("picky",), _said_hello(b"later")),
    "WELCOME": (("echo", "picky", "accept"), _welcome),
    "with CONFIRM": (SERVING, _confirms),
    "HELLO and CONFIRM": (SERVING, _hasty),
    "established": (SERVING, _established),
    "established, no credit left": (("echo", "accept"), _busy),
    "server's BYE": (("hasty",), _goodbye_comes),
    "both ends' BYE": (("hasty", "echo"), _both_say_goodbye),
    "server's BYE, answered": (("hasty",), _answered),
    "own BYE": (SERVING, _said_goodbye({})),
    "own BYE, more to come": (SERVING, _said_goodbye({0: 5, 1: 2})),
    "own BYE, absurd numbers": (SERVING, _said_goodbye({0: 2**64 - 1, 254: 2**63})),
    "own BYE, answered": (("deaf",), _said_goodbye({1: 30})),  # it cannot end: more is to follow
    "after a violation": (SERVING, _violated),
    "after REJECT": (("picky",), _rejected),
    "wrong version": (("echo",), _version),
}
# The server reaches these phases by itself, after some time.
LATE = {"own BYE, answered": "BYE_ACK", "HELLO, decided later": "WELCOME"}
ESTABLISHED = (
    "with CONFIRM",
    "HELLO and CONFIRM",
    "established",
    "established, no credit left",
    "own BYE",
    "own BYE, more to come",
)
