"""The part that the servers of all APIs share. Nothing in here waits."""

from __future__ import annotations

import logging
import time
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from math import inf
from typing import Any

from ..._core.runtime import is_forked
from ..._generated.enums import EndReason
from ..protocol.departure import Departure
from ..protocol.reasons import CloseReason
from ..protocol.state import Phase
from .checks import check_goodbye
from .endpoint import SessionEndpoint
from .keeper import engine_of as durable_engine_of
from .listen_socket import ListenerView
from .registry import engine_of
from .request import S
from .session import BaseSession

_log = logging.getLogger("gns_py")


class BaseServer(ListenerView[S]):
    """A port whose sessions each have a handler."""

    def __repr__(self) -> str:
        state = "closed" if not self.is_serving() else "draining" if self.is_draining else "serving"
        return f"<{type(self).__module__}.{type(self).__name__} {self.address} {state}>"

    @abstractmethod
    def is_serving(self) -> bool:
        """Return whether the server is open."""

    @abstractmethod
    def start_draining(self, departure: Departure) -> None:
        """Do what drain() does, without waiting. Not part of the API."""

    @property
    def is_draining(self) -> bool:
        """True once drain() was called: no new session begins, and those that are left are to end."""
        return self._listener.registry.departure is not None

    def _announce(self, departure: Departure) -> None:
        """Let no one in from now on, and tell all clients; if they know already, only the deadline may change."""
        registry = self._listener.registry
        known = registry.departure
        if known is not None:
            departure = replace(known, at=min(known.at, departure.at))
        registry.drain(departure)
        if is_forked():  # the sessions are the parent's
            return
        for session in registry.sessions:
            endpoint = BaseSession.session_endpoint_of(session)
            endpoint.run(endpoint.act, engine_of(endpoint).go_away, departure)

    def _check_moved(self) -> None:
        """Learn whether clients have gone on at other servers, if sessions are kept in a store."""
        keeper = self._listener.keeper
        if keeper is not None:
            keeper.check_dropped()

    def _time_left(self) -> float:
        """Return the seconds until the deadline of drain()."""
        departure = self._listener.registry.departure
        return inf if departure is None else max(0.0, departure.at - time.monotonic())

    def _close_drained(self) -> None:
        """Close the server: all clients have left, or the time is over."""
        departure = self._listener.registry.departure
        text = "" if departure is None else departure.text
        for session in self._listener.registry.sessions:
            endpoint = BaseSession.session_endpoint_of(session)
            engine, why = endpoint.engine, text or "the server was closed"
            if engine.is_durable and engine.is_established:  # another server goes on with it
                endpoint.run(endpoint.act, durable_engine_of(endpoint).lose, CloseReason.FAILED_OVER, why)
            elif engine.phase is Phase.DROPPED and not endpoint.has_newcomer:
                reason = CloseReason.SERVER_SHUTTING_DOWN
                endpoint.run(endpoint.act, engine_of(endpoint).give_up_waiting, reason, why)
        self.close(text=text)

    @abstractmethod
    def close(self, code: int = EndReason.APP_GENERIC, text: str = "") -> None:
        """Close the server."""

    def kick(self, session: S, code: int = EndReason.APP_GENERIC, text: str = "", data: bytes = b"") -> None:
        """Close a session from outside its handler: both ends see CLOSED_BY_CONTROLLER. Any thread.

        Args:
            session: The session.
            code: See Session.close().
            text: See Session.close().
            data: See Session.close().

        Raises:
            TypeError: See Session.close().
            ValueError: See Session.close().
        """
        endpoint = BaseSession.session_endpoint_of(session)
        endpoint.begin_close(code, text, data, reason=CloseReason.CLOSED_BY_CONTROLLER)


def say_goodbye_to_all(sessions: Iterable[Any], code: int, text: str) -> None:
    """Close sessions because their server is closing. One whose goodbye fails is ended all the same.

    Raises:
        TypeError: ``code`` or ``text`` has the wrong type.
        ValueError: ``code`` is out of range, or ``text`` is too long.
    """
    check_goodbye(code, text, b"")
    for session in sessions:
        _say_goodbye_to(BaseSession.session_endpoint_of(session), code, text)


def _say_goodbye_to(endpoint: SessionEndpoint, code: int, text: str) -> None:
    try:
        endpoint.begin_close(code, text, b"", reason=CloseReason.SERVER_SHUTTING_DOWN)
    except Exception:
        _log.exception("%r ended without a goodbye", endpoint)
