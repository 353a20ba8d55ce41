"""When a client that has lost its connection tries to get another one."""

from __future__ import annotations

import logging
import random
import time
import weakref
from abc import ABC, abstractmethod
from typing import Protocol

from ..._core.connection import BaseConnection
from ..._core.sending import SendingConnection
from ..._generated.enums import EndReason
from ...end import ClosedBy
from ..protocol.reasons import CloseReason, SessionEnd
from .addresses import Route, Where

_log = logging.getLogger("gns_py")
# Seconds: the bound of the second pause, which doubles with each round of attempts, and the longest one. The first
# round is made at once, and within a round there are no pauses.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
# Seconds: after a connection that lasted for less, the pauses go on to grow. A server that takes every client back only
# to lose it again would be flooded otherwise.
_LASTING = 1.0
# Seconds that an attempt may take: if it is the last one of a round; and in the first round if there are other
# addresses to try, twice as long in each further round.
_ATTEMPT_TIMEOUT = 5.0
_FIRST_ATTEMPT_TIMEOUT = 1.0


class Caller(Protocol):
    """The internal end of a session that has lost its connection."""

    def welcome(self, connection: SendingConnection) -> None:
        """Go on with this connection."""

    def attempt_failed(self, end: SessionEnd) -> None:
        """Note that no connection could be made."""

    def on_change(self) -> None:
        """Dial again if there is still no connection."""

    def on_stopped(self) -> None:
        """Give up: GNS was stopped."""


class Dialer(ABC):
    """Connects a client to its server again. It makes one attempt at a time.

    Args:
        route: The addresses.
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self.is_dialing = False
        """True from the beginning of the pause until the attempt has ended, well or not."""
        self._rounds = 0
        self._connected_at: float | None = None

    def rest(self) -> None:
        """Note that the session has a connection: if it lasts, the next attempt is made without a pause."""
        if self._connected_at is None:
            self._connected_at = time.monotonic()
            self.route.settle()

    def dial(self, caller: Caller) -> None:
        """Begin an attempt, unless one is under way: after a random pause, so that many clients do not come at once."""
        if self.is_dialing:
            return
        if self._connected_at is not None:
            if time.monotonic() - self._connected_at >= _LASTING:
                self._rounds = 0
            self._connected_at = None
        longest = 0.0
        if self.route.is_round_over:
            longest = min(_FIRST_PAUSE * 2.0 ** min(self._rounds - 1, 16), _LONGEST_PAUSE) if self._rounds else 0.0
            self._rounds += 1
        self.is_dialing = True
        try:
            self.begin(caller, random.uniform(0.0, longest))
        except BaseException:
            self.is_dialing = False
            raise

    @abstractmethod
    def begin(self, caller: Caller, pause: float) -> None:
        """Begin an attempt: pause, connect, and call finish(). Must not keep the caller."""

    def next_address(self) -> tuple[Where, float]:
        """Return the address for an attempt that has begun, and the seconds that it may take."""
        where, has_others = self.route.next()
        short = _FIRST_ATTEMPT_TIMEOUT * 2.0 ** min(self._rounds - 1, 16)
        return where, min(short, _ATTEMPT_TIMEOUT) if has_others else _ATTEMPT_TIMEOUT

    def give_up(self, error: Exception) -> SessionEnd:
        """Log an error after which further attempts make no sense, and return the session's end."""
        _log.error("another connection cannot be made", exc_info=error)
        text = "another connection cannot be made"
        return SessionEnd(ClosedBy.LOCAL, CloseReason.ABORTED, EndReason.INTERNAL_ERROR, text, is_confirmed=False)

    def finish(
        self, reference: weakref.ref[Caller], connection: SendingConnection | None, end: SessionEnd | None
    ) -> None:
        """Report what has become of an attempt.

        Args:
            reference: The caller, if it still exists.
            connection: The new one, on the thread that reads its mailbox; None if the attempt has failed.
            end: Why it has failed; None if that is for want of a way to the server, or of resources here.
        """
        caller = reference()
        try:
            if connection is not None:
                if caller is not None:
                    caller.welcome(connection)
                else:
                    BaseConnection.endpoint_of(connection).close(EndReason.APP_GENERIC, "not needed", linger=False)
        finally:
            self.is_dialing = False  # not earlier: other threads would dial before the session has the connection
        if caller is None:
            return
        if end is not None:
            caller.attempt_failed(end)
        else:
            caller.on_change()  # the connection may be lost already

    @abstractmethod
    def cancel(self) -> None:
        """Give up the attempt that is under way, if any. Any thread, any moment."""

    @abstractmethod
    def hurry(self) -> None:
        """End a pause at once. Any thread."""
