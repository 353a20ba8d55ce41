"""Servers that send their clients away before they close."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

from ..._core.deadline import Deadline
from ...errors import ConcurrencyError, ForkedError
from ...sync.handlers import ThreadServer
from .._core.draining import Redirect, plan_departure
from .._core.server import BaseServer
from ..protocol.departure import Departure
from .session import Session
from .thread_listener import ThreadListener

# How often a server that ends checks whether other threads have brought its sessions to their end.
_LOOK = 0.1
# Handlers may take this long to return after drain() has ended their sessions.
_GRACE = 5.0
_log = logging.getLogger("gns_py")


class DrainingServer(BaseServer[Session], ThreadServer[Session]):
    """The part of a server that drains."""

    _listener: ThreadListener

    def __init__(self, handler: Callable[[Session], None], listener: ThreadListener) -> None:
        BaseServer.__init__(self, listener)
        ThreadServer.__init__(self, handler, f"gns_py serve sessions {self.address}")
        self._is_closing = False
        self._has_cut_off = False

    def drain(self, deadline: float | None = None, *, redirect: Redirect = (), text: str = "") -> bool:
        """End the server gently: send its clients away, wait until they have left, then close.

        New clients are rejected. Each client that has a session is told when the server will end, and where to go
        instead; a session that is resumed meanwhile is told again. At the deadline the sessions that are left end with
        SERVER_SHUTTING_DOWN, after everything that was sent to them. Those that have no connection at that moment end
        at once. Durable ones end here with FAILED_OVER, and go on at another server. Handlers that have not returned
        5 s after their sessions have ended are left behind, in their threads.

        If a signal's exception ends the waiting, draining goes on. A second call waits as well: the earlier deadline
        holds, and what the clients have been told first.

        Args:
            deadline: Seconds; None waits without a limit.
            redirect: Up to 16 addresses of other servers, the best one first: "host:port", or (host, port).
            text: For people, up to 1,024 bytes.

        Returns:
            True if all handlers had returned by the deadline.

        Raises:
            ConcurrencyError: This is a handler, which would wait for itself.
            TypeError: An argument has the wrong type.
            ValueError: ``deadline`` is negative, ``text`` too long, an address wrong, or there are too many.
        """
        departure = plan_departure(deadline, redirect, text)
        if threading.current_thread() in self._handlers:
            raise ConcurrencyError("a handler cannot wait for its own server to drain")
        self.start_draining(departure)
        self.wait_closed()
        return not self._has_cut_off

    def start_draining(self, departure: Departure) -> None:
        """See BaseServer. Not part of the API."""
        self._announce(departure)
        self._wake_acceptor()

    def _next_look(self) -> float | None:
        """Return the seconds after which the acceptor has to look again, whatever arrives; None: never."""
        if self._is_closing:
            return _LOOK
        return min(_LOOK, self._time_left()) if self.is_draining else None

    def _go_on_draining(self) -> None:
        """Close the server if all clients have left, or the time is over. In the acceptor's thread."""
        is_busy = self._handlers or self._has_clients() or self._listener.registry.is_deciding
        if is_busy and self._time_left() > 0:
            self._check_moved()
        else:
            self._has_cut_off = bool(self._handlers)
            self._close_drained()

    def _end_draining(self) -> None:
        """Leave behind the handlers that do not return. In the acceptor's thread."""
        if self.is_draining:
            self._join_handlers(Deadline(_GRACE))
            if left := self._leave_handlers():
                self._has_cut_off = True
                _log.warning("%r has ended without %d of its handlers: they have not returned", self, left)

    def _wake_acceptor(self) -> None:
        with contextlib.suppress(ForkedError):  # in a fork it is the parent's
            self._listener.listener.mailbox.wake()

    def _has_clients(self) -> bool:
        return bool(self.sessions)

    def _turn_newcomers_away(self) -> None:
        self._listener.registry.drain()
