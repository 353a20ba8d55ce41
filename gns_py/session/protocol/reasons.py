"""Why a session ended."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..._generated.bases import NamedIntEnum
from ..._generated.enums import EndReason
from ..._printable import printable
from ...end import ClosedBy, ConnectionEnd

# The end reasons of connections that carry the reason of a session: a normal end's, a fault's.
_NORMAL = 1900
_FAULT = 2900
_MAX_END_TEXT = 127
_END_TEXT = re.compile(r"(\d{4})(?: (.*))?", re.DOTALL)


class CloseReason(NamedIntEnum):
    """Why a session ended. The first thirteen are those of Diffusion's ClientCloseReason, with its numbers.

    Unlike there, either end can be the one that is unresponsive, or that sends what it should not.
    """

    CONNECTION_LOST = 0, "Nothing arrived from the peer for too long.", True
    IO_EXCEPTION = 1, "The network, or access to it, failed.", True
    CLIENT_UNRESPONSIVE = 2, "The peer's network code answers, but its program does not.", True
    MESSAGE_QUEUE_LIMIT_REACHED = 3, "A message queue reached its limit.", False
    CLOSED_BY_CLIENT = 4, "The client closed the session.", False
    MESSAGE_TOO_LARGE = 5, "A message was longer than its receiver accepts.", False
    INTERNAL_ERROR = 6, "The code that served the session failed: a handler raised an exception.", False
    INVALID_INBOUND_MESSAGE = 7, "A received message was malformed, or not allowed at that point.", False
    ABORTED = 8, "One end gave up the session without a goodbye.", False
    LOST_MESSAGES = 9, "Messages are missing or arrived twice: the two ends no longer agree.", False
    CLOSED_BY_CONTROLLER = 10, "Closed by the server's operator, not by the code that served the session.", False
    FAILED_OVER = 11, "The session continued at another server.", False
    SESSION_TAKEN_OVER = 12, "The session has another connection, or its key another session.", False
    CLOSED_BY_SERVER = 13, "The server closed the session.", False
    REJECTED = 14, "The server rejected this client.", False
    RATE_LIMITED = 15, "Too many connections, or too frequent ones; try again later.", False
    AUTHENTICATION_FAILED = 16, "The peer could not be authenticated.", False
    VERSION_MISMATCH = 17, "The ends have no version of the session protocol in common.", False
    SERVER_SHUTTING_DOWN = 18, "The server is shutting down.", False
    SESSION_EXPIRED = 19, "The session was not resumed in time.", False
    PROTOCOL_ERROR = 20, "The peer does not speak the session protocol.", False

    explanation: str
    """One sentence for people."""
    recoverable: bool
    """True if the session itself can continue on a new connection, provided that both ends can resume."""

    def __new__(cls, value: int, explanation: str = "", recoverable: bool = False) -> CloseReason:
        """Make a member. See its attributes."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.explanation = explanation
        member.recoverable = recoverable
        return member

    @property
    def is_normal(self) -> bool:
        """True if this is not a fault: one end wanted to end the session, and said so."""
        return self in _NORMAL_ENDS

    @property
    def can_retry(self) -> bool:
        """True if trying again can lead to a new session."""
        return self.recoverable or self in _TEMPORARY

    @property
    def native_code(self) -> int:
        """The end reason of the underlying connection, if the session could not say goodbye."""
        return (_NORMAL if self in _NORMAL_CODES else _FAULT) + self


_NORMAL_ENDS = frozenset(
    {
        CloseReason.CLOSED_BY_CLIENT,
        CloseReason.CLOSED_BY_CONTROLLER,
        CloseReason.FAILED_OVER,
        CloseReason.SESSION_TAKEN_OVER,
        CloseReason.CLOSED_BY_SERVER,
        CloseReason.SERVER_SHUTTING_DOWN,
    }
)
_NORMAL_CODES = _NORMAL_ENDS | {CloseReason.ABORTED, CloseReason.REJECTED}
_TEMPORARY = frozenset(
    {
        CloseReason.INTERNAL_ERROR,
        CloseReason.RATE_LIMITED,
        CloseReason.SERVER_SHUTTING_DOWN,
        CloseReason.SESSION_EXPIRED,
    }
)
_BY_END_REASON: dict[int, CloseReason] = {
    EndReason.SHUTDOWN: CloseReason.ABORTED,  # the server's is SERVER_SHUTTING_DOWN
    EndReason.INTERNAL_ERROR: CloseReason.INTERNAL_ERROR,
    EndReason.MESSAGE_QUEUE_LIMIT_REACHED: CloseReason.MESSAGE_QUEUE_LIMIT_REACHED,
    EndReason.RATE_LIMITED: CloseReason.RATE_LIMITED,
    EndReason.INVALID: CloseReason.CONNECTION_LOST,
    EndReason.REMOTE_TIMEOUT: CloseReason.CONNECTION_LOST,
    EndReason.MISC_TIMEOUT: CloseReason.CONNECTION_LOST,
    EndReason.MISC_PEER_SENT_NO_CONNECTION: CloseReason.CONNECTION_LOST,
    EndReason.REMOTE_BAD_CRYPT: CloseReason.AUTHENTICATION_FAILED,
    EndReason.REMOTE_BAD_CERT: CloseReason.AUTHENTICATION_FAILED,
    EndReason.REMOTE_BAD_PROTOCOL_VERSION: CloseReason.VERSION_MISMATCH,
    EndReason.MISC_INTERNAL_ERROR: CloseReason.INTERNAL_ERROR,
    EndReason.LOCAL_RIGHTS: CloseReason.ABORTED,
}


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """Why a session ended. ``str()`` is one line for people, with unprintable characters escaped."""

    closed_by: ClosedBy
    reason: CloseReason
    code: int
    """The application's code, or, if there was none, the end reason of the underlying connection."""
    text: str
    """The text given by the end that closed; for a problem, what is known about it."""
    data: bytes = b""
    """The data that the other application passed to its close()."""
    undelivered: int = field(default=0, compare=False)
    """How many reliable messages of this end may not have arrived: they still waited, or were not acknowledged.

    0 after a goodbye that both ends have confirmed; an upper bound otherwise.
    """
    is_confirmed: bool = field(default=True, compare=False)
    """True if the peer's goodbye, and every reliable message before it, has arrived."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", int(self.code))  # an EndReason prints and formats as its name

    @property
    def ok(self) -> bool:
        """True if the session ended normally and nothing was lost: confirmed, with a code below 2000.

        This takes the peer's goodbye, which is encrypted and authenticated like all messages; the end of the
        underlying connection proves nothing. recv() reports the end as soon as the goodbye and everything before it
        have been read. If the exchange of goodbyes fails after that, ``Session.end`` and wait_closed() report how the
        session ended instead, which is not ok.
        """
        return self.is_confirmed and self._is_normal

    @property
    def _is_normal(self) -> bool:
        return self.reason.is_normal and self.code < EndReason.APP_EXCEPTION_GENERIC

    @property
    def recoverable(self) -> bool:
        """True if the session itself can continue on a new connection."""
        return self.reason.recoverable

    @property
    def can_retry(self) -> bool:
        """True if trying again can lead to a new session."""
        return self.reason.can_retry

    def __str__(self) -> str:
        verb = "ended by" if self.closed_by is ClosedBy.PROBLEM else "closed by"
        text = f": {printable(self.text)}" if self.text else ""
        doubt = " (not confirmed by a goodbye)" if self._is_normal and not self.is_confirmed else ""
        return f"{verb} {self.closed_by.value}, {self.reason.name}, {self.code}{text}{doubt}"


def reason_of(number: int) -> CloseReason:
    """Return the reason with this number, which a peer has sent; ABORTED if it is unknown."""
    return _NUMBERS.get(number, CloseReason.ABORTED)


_NUMBERS = {int(reason): reason for reason in CloseReason}


def reason_for_peer(reason: CloseReason) -> CloseReason:
    """Return what a connection's end tells the peer: for it, a session that has failed over only lost a connection."""
    return CloseReason.CONNECTION_LOST if reason is CloseReason.FAILED_OVER else reason


def connection_end_text(code: int, text: str) -> str:
    """Return the text of a connection's end, for a session that could not say goodbye. Code 0 stands for none."""
    return truncate_text(f"{int(code):04} {text}".rstrip(" "))


def truncate_text(text: str) -> str:
    """Return as much of a text as the end of a connection can carry, without splitting a character."""
    return text.encode()[:_MAX_END_TEXT].decode(errors="ignore")


def end_of_connection(end: ConnectionEnd, *, is_client: bool) -> SessionEnd:
    """Return what the end of a connection means for the session on it."""
    named = _NUMBERS.get(end.code - _NORMAL, _NUMBERS.get(end.code - _FAULT))
    if named is not None:
        said = _END_TEXT.fullmatch(end.text)
        code, text = (int(said[1]), said[2] or "") if said else (0, end.text)
        return SessionEnd(end.closed_by, named, code or end.code, text, is_confirmed=False)
    by_client = (end.closed_by is ClosedBy.LOCAL) is is_client
    reason = _reason_of_connection(end.code, by_client=by_client)
    return SessionEnd(end.closed_by, reason, end.code, end.text, is_confirmed=False)


def _reason_of_connection(code: int, *, by_client: bool) -> CloseReason:
    if code in (EndReason.GOING_AWAY, EndReason.SHUTDOWN) and not by_client:
        return CloseReason.SERVER_SHUTTING_DOWN
    known = _BY_END_REASON.get(code)
    if known is not None:
        return known
    if EndReason.APP_GENERIC <= code < EndReason.APP_EXCEPTION_GENERIC:
        return CloseReason.CLOSED_BY_CLIENT if by_client else CloseReason.CLOSED_BY_SERVER
    if EndReason.APP_EXCEPTION_GENERIC <= code <= EndReason.SHUTDOWN:
        return CloseReason.ABORTED
    return CloseReason.IO_EXCEPTION
