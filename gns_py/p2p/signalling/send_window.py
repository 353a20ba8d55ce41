"""How many signals a client has on their way to a server."""

from __future__ import annotations

from .wire import Ping

_MOST_ON_THEIR_WAY = 16
_ASK_AFTER = 8
_NUMBERS = 1 << 32


class SendWindow:
    """Counts the signals that are on their way to a server, which reads a client that sends too fast only now and then.

    Signals that wait in the network would be stale when they are read, and would hold up the pings by which both ends
    know that the connection is alive. A server handles messages in their order, so a PONG says how many it has read.

    Args:
        sent: The number of the last signal.
    """

    __slots__ = ("_sent", "_unread")

    def __init__(self, sent: int = 0) -> None:
        self._sent = sent
        self._unread = 0

    @property
    def is_full(self) -> bool:
        """True if no signal may be sent at present."""
        return self._unread >= _MOST_ON_THEIR_WAY

    def on_sent(self) -> Ping | None:
        """Count a signal that was sent, and return the PING that is to follow it, if one is."""
        self._sent = (self._sent + 1) % _NUMBERS
        self._unread += 1
        return None if self._sent % _ASK_AFTER else Ping(self._sent)

    def on_pong(self, number: int) -> None:
        """Take the number of a PONG. One that answers no PING means nothing."""
        left = (self._sent - number) % _NUMBERS
        self._unread = min(left, self._unread)
