"""How a connection ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ._generated.enums import ConnectionState, EndReason, EndReasonRange
from ._printable import printable
from .stats import ConnectionInfo


class ClosedBy(Enum):
    """The cause of a connection's end: either end, or a problem."""

    LOCAL = "this end"
    PEER = "the peer"
    PROBLEM = "a problem"


@dataclass(frozen=True, slots=True)
class ConnectionEnd:
    """Why a connection ended. ``str()`` returns one sentence for people, with unprintable characters escaped."""

    closed_by: ClosedBy
    code: int
    """The number of the end reason; 1000 to 2999 belong to the application."""
    text: str
    """The text that the closing end sent, at most 127 bytes; for a problem, GNS's own text."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", int(self.code))  # an EndReason would print as its name

    @property
    def reason(self) -> EndReason:
        """The code as an EndReason, with its explanation."""
        return EndReason(self.code)

    @property
    def range(self) -> EndReasonRange:
        """The range of the code: the application's, local, remote, ..."""
        return self.reason.range

    @property
    def can_retry(self) -> bool:
        """True if trying again can help."""
        return self.reason.can_retry

    @property
    def ok(self) -> bool:
        """True for a normal end: an application closed the connection with a code from 1000 to 1999.

        It says nothing about which messages have arrived. Nor is it proof: GNS does not authenticate the packet that
        closes a connection, so anyone who sees the connection's packets can forge one. Sessions prove their ends.
        """
        return self.range is EndReasonRange.APP

    def __str__(self) -> str:
        verb = "ended by" if self.closed_by is ClosedBy.PROBLEM else "closed by"
        text = f": {printable(self.text)}" if self.text else ""
        return f"{verb} {self.closed_by.value}, {self.code} {self.reason.name}{text}"


def end_of(info: ConnectionInfo) -> ConnectionEnd:
    """Return the end that the info of an ended connection describes."""
    match info.state:
        case ConnectionState.CLOSED_BY_PEER:
            closed_by = ClosedBy.PEER
        case ConnectionState.NONE:
            closed_by = ClosedBy.LOCAL
        case _:
            closed_by = ClosedBy.PROBLEM
    return ConnectionEnd(closed_by, info.end_reason, info.end_text)
