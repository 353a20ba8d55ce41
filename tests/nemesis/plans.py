"""The part that each end of a session plays, and its messages. Both follow from the session's name."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .settings import LANES

SIDES = ("client", "server")
_NOISE = random.Random(15).randbytes(1 << 17)
_CHECKSUM = 4


class Outgoing(NamedTuple):
    """A message that is to be sent."""

    lane: int
    number: int
    """On its lane, from 1."""
    data: bytes


def encode(session: str, side: str, lane: int, number: int, view: str = "") -> bytes:
    """Return the message that an end sends as this number on this lane: who it is, noise, a checksum.

    That of a durable session's server says which one has sent it.
    """
    head = f"{session} {side}{view and '@'}{view} {lane} {number} ".encode()
    chance = zlib.crc32(head)
    size = (chance >> 8) % (60_000 if chance % 100 == 0 else 4_000 if chance % 10 == 0 else 200)
    begin = chance % (len(_NOISE) - size)
    data = head + _NOISE[begin : begin + size]
    return data + zlib.crc32(data).to_bytes(_CHECKSUM, "big")


def decode(data: bytes, session: str, side: str, lane: int) -> int:
    """Return the number of a message of that end on that lane.

    Raises:
        ValueError: It is not one.
    """
    body = data[:-_CHECKSUM]
    if zlib.crc32(body).to_bytes(_CHECKSUM, "big") != data[-_CHECKSUM:]:
        raise ValueError("the checksum is wrong")
    head = body.split(b" ", 4)[:4]
    if len(head) != 4 or [head[0], head[1].partition(b"@")[0], head[2]] != [
        session.encode(),
        side.encode(),
        str(lane).encode(),
    ]:
        raise ValueError(f"a message of {head} arrived for {session} of {side} on lane {lane}")
    return int(head[3])


def view_of(data: bytes) -> str:
    """Return which server has sent a message, if that matters."""
    return data.split(b" ", 2)[1].partition(b"@")[2].decode()


@dataclass(frozen=True)
class Plan:
    """A session from its beginning to its end."""

    name: str
    counts: dict[str, int]
    """How many messages each side sends."""
    burst: int
    pause: float
    """Seconds between bursts."""
    closer: str
    how: str
    """complete: the client closes when both ends have everything. midway, abort: after some messages."""
    after: int
    """How many messages the closer sends before that."""

    @classmethod
    def of(cls, name: str, seconds: float) -> Plan:
        """Return the plan of a session that lasts for about that many seconds without a nemesis."""
        rng = random.Random(f"plan of {name}")
        lasts = rng.uniform(0.1, 1.0) * seconds
        rate = rng.choice((2, 50, 200, 400))
        counts = {side: int(lasts * rate * rng.uniform(0.2, 1.0)) + rng.randrange(3) for side in SIDES}
        burst = min(rate, rng.randint(1, 20))
        how = rng.choices(("complete", "midway", "abort"), (85, 9, 6))[0]
        closer = "client" if how == "complete" else rng.choice(SIDES)
        after = counts[closer] if how == "complete" else rng.randint(0, counts[closer])
        return cls(name, counts, burst, burst / rate, closer, how, after)

    def bursts(self, side: str, view: str = "") -> Iterator[list[Outgoing]]:
        """Make the messages of a side, or of a server that has this view of a durable session."""
        rng = random.Random(f"{side} of {self.name}")
        count = self.after if side == self.closer else self.counts[side]
        numbers = [0] * LANES
        while count:
            size = min(count, rng.randint(1, self.burst))
            count -= size
            burst = []
            for _ in range(size):
                lane = rng.randrange(LANES)
                numbers[lane] += 1
                burst.append(Outgoing(lane, numbers[lane], encode(self.name, side, lane, numbers[lane], view)))
            yield burst
