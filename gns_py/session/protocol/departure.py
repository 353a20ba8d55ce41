"""The announcement of a server that will shut down."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from .frames import GoAway
from .reasons import CloseReason

NO_DEADLINE = (1 << 64) - 1
"""In GOAWAY: the server will wait for as long as its clients stay."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A server's plan to shut down."""

    at: float
    """When the sessions that are left end; infinite: never."""
    text: str = ""
    """For people."""
    addresses: tuple[str, ...] = ()
    """Other servers, the best one first."""

    def announce(self, now: float) -> GoAway:
        """Return the frame that tells a client, with the time that remains."""
        left = NO_DEADLINE if self.at == inf else max(0, int((self.at - now) * 1000.0))
        return GoAway(CloseReason.SERVER_SHUTTING_DOWN, left, self.text, self.addresses)
