"""When to ping the peer's program, and when to give it up."""

from __future__ import annotations

from .frames import Ping, Pong
from .violation import Violation

# A ping is sent after a third of the timeout without a sign of the peer.
_PING_PART = 3


class KeepAlive:
    """The pings of one end, and the last sign of the other."""

    def __init__(self, now: float) -> None:
        self.timeout = 0.0
        """Seconds of silence after which the peer is given up; 0: never."""
        self.is_waiting = False
        """True while a PONG is expected."""
        self._heard_at = now
        self._number = 0

    def restart(self, now: float) -> None:
        """Begin again, on a new connection."""
        self.is_waiting = False
        self._heard_at = now

    def note_sign(self, at: float) -> None:
        """Note when the peer was last heard."""
        self._heard_at = max(self._heard_at, at)

    @property
    def next_at(self) -> float:
        """The time of the next ping, or of the timeout."""
        return self._heard_at + (self.timeout if self.is_waiting else self.timeout / _PING_PART)

    def is_lost(self, now: float) -> bool:
        """Return whether the peer has been silent for the whole timeout."""
        return now >= self._heard_at + self.timeout

    def is_ping_due(self, now: float) -> bool:
        """Return whether to ping now."""
        return not self.is_waiting and now >= self.next_at

    def ping(self) -> Ping:
        """Return the next ping, which has to be sent."""
        self.is_waiting = True
        self._number += 1
        return Ping(self._number)

    def take_pong(self, pong: Pong) -> None:
        """Note the answer to the last ping.

        Raises:
            Violation: No such ping is waiting for an answer.
        """
        if not self.is_waiting or pong.number != self._number:
            raise Violation("Pong arrived without a Ping")
        self.is_waiting = False
