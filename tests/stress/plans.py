"""The plan of a connection or session of the stress: made from a seed by the client, told to the server."""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["connection", "session"]
How: TypeAlias = Literal["read all, close", "close", "abort", "raise", "cancel", "wait", "deaf"]

HEADER = struct.Struct("<IIBBH")  # checksum, number, lane, whether it is reliable, which link
ENDINGS: tuple[How, ...] = ("read all, close", "read all, close", "close", "abort", "raise", "cancel")


class Outgoing(NamedTuple):
    """A message to be sent; number counts those of its lane and kind."""

    data: bytes
    lane: int
    reliable: bool
    number: int


@dataclass(frozen=True)
class SidePlan:
    """The part of one end."""

    count: int
    """Reliable messages."""
    lanes: int
    size: int
    """Bytes of the longest message."""
    how: How
    """How it ends: wait leaves it to the other end; deaf does, too, and reads only some messages until then."""
    after: int
    """Messages sent before it ends the connection, or read before it is deaf."""
    impatient: bool
    """True if it gives up waiting again and again: by time limits, by cancelling."""
    pauses: bool


@dataclass(frozen=True)
class Plan:
    """The parts of both ends."""

    name: str
    kind: Kind
    client: SidePlan
    server: SidePlan

    def encode(self) -> bytes:
        """Encode the plan for the other end."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Plan:
        """Decode what encode() made."""
        fields = json.loads(data)
        return cls(fields["name"], fields["kind"], SidePlan(**fields["client"]), SidePlan(**fields["server"]))

    @classmethod
    def make(cls, name: str, rng: random.Random) -> Plan:
        """Return the same plan for the same random numbers. At least one end ends it."""
        ender = rng.choice(("client", "server", "both"))
        return cls(
            name,
            rng.choice(("connection", "session")),
            _make_side(rng, ends=ender != "server"),
            _make_side(rng, ends=ender != "client"),
        )


def _make_side(rng: random.Random, *, ends: bool) -> SidePlan:
    count = rng.choice((0, 1, 10, 100, 300))
    how = rng.choice(ENDINGS) if ends else rng.choice(("wait", "wait", "wait", "deaf"))
    in_the_middle = how in ("abort", "deaf", "raise", "cancel") or (how == "close" and rng.random() < 0.5)
    return SidePlan(
        count=count,
        lanes=rng.choice((1, 1, 3)),
        size=rng.choice((HEADER.size, 100, 2_000, 30_000)),
        how=how,
        after=rng.randint(0, count) if in_the_middle else count,
        impatient=rng.random() < 0.3,
        pauses=rng.random() < 0.3,
    )


def is_plan(data: bytes) -> bool:
    """Return whether it is an encoded plan rather than a message."""
    return data.startswith(b'{"name"')


def bursts(plan: Plan, side: SidePlan, rng: random.Random) -> Iterator[list[Outgoing]]:
    """Return all messages of one end in the order of sending, with some unreliable ones among them."""
    numbers = [[0] * side.lanes, [0] * side.lanes]
    left = side.count
    while left:
        burst = []
        for _ in range(min(left, rng.choice((1, 5, 20)))):
            reliable = rng.random() < 0.9
            left -= reliable
            lane = rng.randrange(side.lanes)
            numbers[reliable][lane] += 1
            number = numbers[reliable][lane]
            size = rng.randint(0, side.size if reliable else min(side.size, 1_000))
            burst.append(Outgoing(body(plan, lane, reliable, number, size), lane, reliable, number))
        yield burst


def body(plan: Plan, lane: int, reliable: bool, number: int, size: int) -> bytes:
    """Return a message that tells its receiver whether it is what was sent."""
    padding = number.to_bytes(4, "little") * (max(0, size - HEADER.size) // 4)
    rest = HEADER.pack(0, number, lane, reliable, zlib.crc32(plan.name.encode()) & 0xFFFF)[4:] + padding
    return zlib.crc32(rest).to_bytes(4, "little") + rest


def read_body(plan: Plan, data: bytes, lane: int) -> tuple[bool, int] | None:
    """Return whether it was sent reliably, and its number; None if it is not what was sent."""
    if len(data) < HEADER.size:
        return None
    checksum, number, sent_on, reliable, link = HEADER.unpack_from(data)
    if checksum != zlib.crc32(data[4:]) or sent_on != lane or link != zlib.crc32(plan.name.encode()) & 0xFFFF:
        return None
    return bool(reliable), number
