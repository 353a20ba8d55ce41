"""The exceptions of sessions.

GNSError
└── SessionClosed (ConnectionError)     the session has ended: see .end
    ├── SessionClosedOK                 in the normal course of events
    └── SessionClosedError              by a fault, a timeout, a broken network
        └── SessionFailed               before it was ever established
            ├── SessionRejected         the server does not want it
            └── SessionTimeout (TimeoutError)
"""

from __future__ import annotations

from typing import Any

from ..errors import GNSError
from ..events import ClosedBy
from .protocol.reasons import CloseReason, SessionEnd


class SessionClosed(GNSError, ConnectionError):
    """The session has ended; ``end`` says who ended it, why, and what was said."""

    def __init__(self, end: SessionEnd) -> None:
        super().__init__(str(end))
        self.end = end

    def __reduce__(self) -> tuple[type[SessionClosed], tuple[SessionEnd], dict[str, Any]]:
        return type(self), (self.end,), self.__dict__  # notes, too

    @property
    def reason(self) -> CloseReason:
        """Why."""
        return self.end.reason

    @property
    def code(self) -> int:
        """The number that the application gave."""
        return self.end.code

    @property
    def text(self) -> str:
        """What whoever ended it said."""
        return self.end.text

    @property
    def data(self) -> bytes:
        """What the application at the other end gave."""
        return self.end.data


class SessionClosedOK(SessionClosed):
    """Closed by an application, in the normal course of events."""


class SessionClosedError(SessionClosed):
    """Ended by a fault at either end, a timeout, a broken network."""


class SessionFailed(SessionClosedError):
    """The session ended before it was established."""


class SessionRejected(SessionFailed):
    """The server does not want this client: its application, or one of its rules."""


class SessionTimeout(SessionFailed, TimeoutError):
    """The session was not established in time."""


_REFUSALS = frozenset(
    {
        CloseReason.REJECTED,
        CloseReason.RATE_LIMITED,
        CloseReason.AUTHENTICATION_FAILED,
        CloseReason.VERSION_MISMATCH,
        CloseReason.SERVER_SHUTTING_DOWN,
    }
)


def session_failed_error(end: SessionEnd, *, rejected: bool = False) -> SessionFailed:
    """The exception for a session that ended before it was established; rejected: the server has said REJECT."""
    if rejected or (end.closed_by is ClosedBy.PEER and end.reason in _REFUSALS):
        return SessionRejected(end)
    if end.closed_by is ClosedBy.PROBLEM and end.reason in (CloseReason.CONNECTION_LOST, CloseReason.ABORTED):
        return SessionTimeout(end)
    return SessionFailed(end)


def session_closed_error(end: SessionEnd) -> SessionClosed:
    """The exception for a session that has ended."""
    return SessionClosedOK(end) if end.ok else SessionClosedError(end)
