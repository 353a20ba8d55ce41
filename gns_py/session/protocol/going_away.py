"""The announcement of a server that will shut down, as a client takes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from ...address import parse_host_and_port
from .frames import GoAway
from .reasons import CloseReason, reason_of

# In GOAWAY: the server waits for as long as its clients stay.
_NO_DEADLINE = (1 << 64) - 1
# Seconds, some thirty years: later than that makes no difference, but timers have their limits.
_LATEST = 1e9


@dataclass(frozen=True, slots=True)
class GoingAway:
    """A server's announcement that it will shut down, and where its clients may go."""

    reason: CloseReason
    """SERVER_SHUTTING_DOWN, as a rule."""
    text: str
    """The server's, for people."""
    deadline: float
    """When the server will close the sessions that are left, on the clock of ``time.monotonic()``; infinite: never."""
    addresses: tuple[tuple[str, int], ...]
    """Host and port of other servers, the best one first. Whatever else the server has named is left out."""


def going_away(frame: GoAway, now: float) -> GoingAway:
    """Return what a frame that has just arrived says."""
    deadline = inf if frame.deadline_ms == _NO_DEADLINE else now + min(frame.deadline_ms / 1000.0, _LATEST)
    return GoingAway(reason_of(frame.reason), frame.text, deadline, _usable(frame.addresses))


def _usable(addresses: Iterable[str]) -> tuple[tuple[str, int], ...]:
    found = []
    for each in addresses:
        with contextlib.suppress(ValueError):
            found.append(parse_host_and_port(each))
    return tuple(dict.fromkeys(found))
