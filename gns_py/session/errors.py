"""The exceptions of sessions.

GNSError
└── SessionClosed (ConnectionError)     the session has ended: see .end
    ├── SessionClosedOK                 normally
    └── SessionClosedError              by a fault, a timeout, or a broken network
        └── SessionFailed               before it was established
            ├── SessionRejected         the server has rejected it
            └── SessionTimeout (TimeoutError)
"""

from __future__ import annotations

from typing import Any

from ..end import ClosedBy
from ..errors import GNSError
from .protocol.reasons import CloseReason, SessionEnd


class SessionClosed(GNSError, ConnectionError):
    """The session has ended.

    Attributes:
        end: Which end closed it, why, with which code, text and data.
    """

    def __init__(self, end: SessionEnd) -> None:
        super().__init__(str(end))
        self.end = end

    def __reduce__(self) -> tuple[type[SessionClosed], tuple[SessionEnd], dict[str, Any]]:
        return type(self), (self.end,), self.__dict__  # notes, too

    @property
    def reason(self) -> CloseReason:
        """The reason of the end."""
        return self.end.reason

    @property
    def code(self) -> int:
        """The application's code."""
        return self.end.code

    @property
    def text(self) -> str:
        """The text given by the end that closed."""
        return self.end.text

    @property
    def data(self) -> bytes:
        """The data that the other application gave."""
        return self.end.data


class SessionClosedOK(SessionClosed):
    """The session was closed normally, by either application."""


class SessionClosedError(SessionClosed):
    """The session ended by a fault at either end, a timeout, or a broken network."""


class SessionFailed(SessionClosedError):
    """The session ended before it was established."""


class SessionRejected(SessionFailed):
    """The server has rejected this client: by its application, or by one of its rules.

    Attributes:
        addresses: Host and port of other servers that a server which is shutting down has named.
    """

    def __init__(self, end: SessionEnd, addresses: tuple[tuple[str, int], ...] = ()) -> None:
        super().__init__(end)
        self.addresses = addresses


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


def session_failed_error(
    end: SessionEnd, *, rejected: bool = False, addresses: tuple[tuple[str, int], ...] = ()
) -> SessionFailed:
    """Return the exception for a session that ended before it was established.

    Args:
        end: How it ended.
        rejected: True if the server has sent REJECT.
        addresses: Other servers that this one has named.
    """
    if rejected or (end.closed_by is ClosedBy.PEER and end.reason in _REFUSALS):
        return SessionRejected(end, addresses)
    if end.closed_by is ClosedBy.PROBLEM and end.reason in (CloseReason.CONNECTION_LOST, CloseReason.ABORTED):
        return SessionTimeout(end)
    return SessionFailed(end)


def session_closed_error(end: SessionEnd) -> SessionClosed:
    """Return the exception for a session that has ended."""
    return SessionClosedOK(end) if end.ok else SessionClosedError(end)
