"""Messages of hostile clients: frames of all types, with the fields that are most likely to break something.

The table is written from docs/session-protocol.md alone, and its writer checks nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

FRAMES = {
    "HELLO": (b"\x01GNSS", "version version number length credit credit number ping data"),
    "WELCOME": (b"\x02", "version number id epoch token length credit credit number ping data"),
    "CONFIRM": (b"\x03", "epoch"),
    "READY": (b"\x04", "epoch"),
    "REJECT": (b"\x05", "number code text data"),
    "RESUME": (b"\x06GNSS", "version version number id epoch token lanes number number"),
    "RESUMED": (b"\x07", "epoch token lanes number number"),
    "RESUME_FAILED": (b"\x08", "number text"),
    "ACK": (b"\x09", "lanes total total"),
    "PING": (b"\x0a", "number"),
    "PONG": (b"\x0b", "number"),
    "GOAWAY": (b"\x0c", "number number text addresses"),
    "BYE": (b"\x0d", "number code text last data"),
    "BYE_ACK": (b"\x0e", "last data"),
    "DATA": (b"\x10", "sequence rest"),
    "UNTRACKED": (b"\x11", "rest"),
    "KEYED": (b"\x12", "key rest"),
}
UNRELIABLE = ("UNTRACKED", "KEYED")
# The frames of an established client.
USUAL = ("ACK", "ACK", "PING", "PING", "DATA", "DATA", "DATA", "UNTRACKED", "UNTRACKED", "KEYED", "KEYED", "BYE")
LARGEST = 2**64 - 1
MOST = 524_288
"""The largest message of GNS, in bytes."""
BOUNDARIES = (
    *(0, 1, 2, 99, 100, 127, 128, 254, 255, 256, 999, 1_000, 1_899, 1_900, 2_000, 2_899, 2_900, 4_999, 5_000, 5_001),
    *(2**14 - 1, 2**14, 2**16 - 1, 2**16, 600_000, 600_001, 524_272, 524_273, 2**31 - 1, 2**31, 2**32 - 1, 2**32),
    *(2**32 + 1, 2**53, 2**63 - 1, 2**63, LARGEST),
)
# The largest credit to grow to; HELLO's comes first.
TOTALS = (2**32, 2**32 + 1, 2**53, 2**63 - 1, 2**63, LARGEST - 1, LARGEST)
# Numbers that are longer than needed, over ten bytes, over 64 bits, or empty.
BAD_VARINTS = (b"\x80\x00", b"\xff" * 10 + b"\x01", b"\xff" * 9 + b"\x02", b"\x80" * 9 + b"\x01", b"")
TEXTS = (
    b"",
    b"bye",
    b"\0",
    b"\xff\xfe",
    "\u2028\x1b[2J\r\nfake".encode(),
    b"x" * 1_024,
    b"x" * 1_025,
    "\U0001f600".encode() * 256,
)


def varint(value: int) -> bytes:
    """Return the shortest encoding."""
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*written, value))


@dataclass(frozen=True)
class Shot:
    """A message to be sent."""

    name: str
    message: bytes
    lane: int = 0
    reliable: bool = True

    def __str__(self) -> str:
        how = ("" if self.lane == 0 else f" on lane {self.lane}") + ("" if self.reliable else ", unreliable")
        shown = self.message[:48].hex() + ("..." if len(self.message) > 48 else "")
        return f"{self.name} {shown} ({len(self.message)} bytes){how}"


@dataclass
class Sequence:
    """Makes messages that follow each other; it keeps the numbers that a good client would use."""

    rng: random.Random
    sent: dict[int, int] = field(default_factory=dict)
    """The last DATA of each lane."""
    is_wild: bool = False
    """Return whether the next field may be anything."""
    totals: tuple[int, ...] = TOTALS
    """The largest credit that may follow."""

    def shots(self, *, established: bool) -> list[Shot]:
        """Return 1 to 20 messages: some that a good client could send now, some just wrong, some garbage."""
        rng = self.rng
        count = rng.choice((1, 1, 1, 2, 3, 5, 10, 20))
        wildness = rng.choice((0.0, 0.0, 0.1, 0.5))
        strangeness = rng.choice((0.0, 0.1, 1.0)) if established else 1.0
        shots: list[Shot] = []
        for _ in range(count):
            self.is_wild = rng.random() < wildness
            name = rng.choice(tuple(FRAMES) if rng.random() < strangeness else USUAL)
            shots += self._several(name)
        return shots

    def _several(self, name: str) -> list[Shot]:
        rng = self.rng
        elsewhere = 0.3 if name in ("DATA", *UNRELIABLE) else 0.3 * self.is_wild
        lane = rng.choice((0, 1, 2, 7, 8, 127, 253, 254)) if rng.random() < elsewhere else 0
        reliable = (name not in UNRELIABLE) != (self.is_wild and rng.random() < 0.2)
        message = self.frame(name, lane)
        if self.is_wild and rng.random() < 0.4:
            message = self._broken(message)
            name += ", broken"
        return [Shot(name, message[:MOST], lane, reliable)] * (
            rng.choice((2, 5)) if self.is_wild and rng.random() < 0.2 else 1
        )

    def frame(self, name: str, lane: int = 0) -> bytes:
        """Return a frame of that type."""
        prefix, parts = FRAMES[name]
        return prefix + b"".join(self._part(part, lane) for part in parts.split())

    def _broken(self, message: bytes) -> bytes:
        rng = self.rng
        at = rng.randrange(len(message) + 1)
        ways: tuple[Callable[[], bytes], ...] = (
            lambda: message[:at],
            lambda: message + rng.randbytes(rng.choice((1, 100))),
            lambda: message[:at] + rng.randbytes(1) + message[at + 1 :],
            lambda: message[:at] + rng.choice(BAD_VARINTS) + message[at:],
            lambda: rng.randbytes(1) + message[1:],
            lambda: rng.randbytes(rng.choice((1, 10, 1_000))),
            lambda: b"",
            lambda: message + bytes(rng.choice((5_000, 100_000, 520_000))),
        )
        return rng.choice(ways)()

    # ---- parts ----

    def _part(self, part: str, lane: int) -> bytes:
        if part == "sequence":
            return varint(self._next(lane))
        if part == "last":
            return self._last()
        return self._wild(part) if self.is_wild and self.rng.random() < 0.5 else self._sensible(part)

    def _next(self, lane: int) -> int:
        if self.is_wild and self.rng.random() < 0.5:
            return self.rng.choice(BOUNDARIES)
        self.sent[lane] = self.sent.get(lane, 0) + 1
        return self.sent[lane]

    def _total(self) -> int:
        """Return a credit that rises."""
        if self.rng.random() < 0.3:
            self.totals = self.totals[1:] or self.totals
        return self.totals[0]

    def _last(self) -> bytes:
        """Return the lanes' numbers of a good client, or later or earlier ones."""
        last = dict(self.sent)
        if self.rng.random() < 0.4:
            for lane in self.rng.choice(((0,), (1,), (254,), (0, 1, 2), range(255))):
                last[lane] = self.rng.choice((1, last.get(lane, 0) + 1, 40, 41, 2**32, 2**63, LARGEST))
        return lanes(last)

    def _sensible(self, part: str) -> bytes:
        rng = self.rng
        match part:
            case "version" | "epoch":
                return varint(1)
            case "length":
                return varint(rng.choice((1, 100, 5_000, 524_272)))
            case "credit":
                return varint(rng.choice((1, 100, 2**32)))
            case "total":
                return varint(self._total())
            case "ping":
                return varint(rng.choice((0, 100, 3_000, 600_000)))
            case "id":
                return bytes(16)
            case "code":
                return varint(rng.choice((1_000, 1_899, 2_000, 2_899)))
            case "lanes":
                return lanes({0: rng.choice((1, 2, 40))} if rng.random() < 0.1 else {})
            case "addresses":
                return varint(1) + sized(b"192.0.2.1:27015")
            case "key":
                return sized(rng.choice((b"a", b"b", rng.randbytes(8), rng.randbytes(64))))
            case "text":
                return sized(rng.choice(TEXTS[:2]))
            case "data" | "token":
                return sized(b"")
            case "rest":
                return bytes(rng.choice((0, 1, 1, 10, 100, 1_000, 4_936, 5_000)))
            case _:
                return varint(rng.choice(BOUNDARIES))

    def _wild(self, part: str) -> bytes:
        rng = self.rng
        if rng.random() < 0.1:
            return rng.choice(BAD_VARINTS)
        match part:
            case "id":
                return rng.randbytes(rng.choice((0, 15, 16, 17)))
            case "lanes":
                return self._wild_lanes()
            case "addresses":
                count = rng.choice((0, 16, 17, 255))
                return varint(count) + sized(b"x" * rng.choice((0, 255, 256))) * count
            case "key" | "token":
                return sized(bytes(rng.choice((0, 1, 64, 65, 5_000))))
            case "text":
                return sized(rng.choice(TEXTS))
            case "data":
                return rng.choice((varint(LARGEST), sized(bytes(65_536)), sized(bytes(65_537)), sized(b"x") + b"x"))
            case "rest":
                return bytes(rng.choice((5_000, 5_001, 16_500, 16_501, 500_000)))
            case _:
                return varint(rng.choice(BOUNDARIES))

    def _wild_lanes(self) -> bytes:
        rng = self.rng
        many = [(lane, rng.choice((1, LARGEST))) for lane in range(255)]
        some = [
            (rng.choice((0, 1, 1, 254, 255, LARGEST)), rng.choice(BOUNDARIES)) for _ in range(rng.choice((1, 2, 20)))
        ]
        pairs = rng.choice((many, some, []))
        count = rng.choice((len(pairs), len(pairs), len(pairs) + 1, 255, 256, LARGEST))
        return varint(count) + b"".join(varint(lane) + varint(number) for lane, number in pairs)


def lanes(numbers: dict[int, int]) -> bytes:
    """Return the fields as a good client writes them."""
    return varint(len(numbers)) + b"".join(varint(lane) + varint(number) for lane, number in sorted(numbers.items()))


def sized(what: bytes) -> bytes:
    """Return bytes, or a text, with their size."""
    return varint(len(what)) + what


def hello(
    data: bytes = b"", *, max_message: int = 524_272, credit: tuple[int, int] = (2**32, 2**32), ping: int = 0
) -> bytes:
    """Return a good one."""
    numbers = (1, 1, 0, max_message, *credit, 0, ping)
    return FRAMES["HELLO"][0] + b"".join(map(varint, numbers)) + sized(data)


def bye(last: dict[int, int] | None = None) -> bytes:
    """Return a good one of a client."""
    return FRAMES["BYE"][0] + varint(4) + varint(1_000) + sized(b"bye") + lanes(last or {}) + sized(b"data")


CONFIRM = b"\x03\x01"
