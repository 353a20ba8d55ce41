"""The part that the servers of all APIs share. Nothing in here waits."""

from __future__ import annotations

from typing import Generic

from ..._generated.enums import EndReason
from ..._uncopyable import Uncopyable
from ...address import Address
from ...limits import LimitCounters
from ..protocol.reasons import CloseReason
from .admission import AdmissionCounters
from .listener import SessionListener
from .request import S
from .session import BaseSession


class BaseServer(Uncopyable, Generic[S]):
    """A port whose sessions each have a handler."""

    def __init__(self, listener: SessionListener[S]) -> None:
        self._listener = listener
        self.address: Address = listener.listener.address
        """The address it listens at: (host, port), with the port that was found if 0 was requested."""

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} {self.address}>"

    @property
    def sessions(self) -> list[S]:
        """The sessions that are established and have not ended."""
        return self._listener.registry.sessions

    @property
    def counters(self) -> AdmissionCounters:
        """The results of all requests for sessions."""
        return self._listener.registry.counters

    @property
    def limit_counters(self) -> LimitCounters:
        """How many connections the limits refused, and why. Any thread."""
        return self._listener.listener.limit_counters

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
