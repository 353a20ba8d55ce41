"""How a connection ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ._generated.enums import ConnectionState, EndReason, EndReasonRange
from ._printable import printable
from .stats import ConnectionInfo


class ClosedBy(Enum):
    """Who ended a connection."""

    LOCAL = "this end"
    PEER = "the peer"
    PROBLEM = "a problem"


@dataclass(frozen=True, slots=True)
class ConnectionEnd:
    """Why a connection ended. ``str()`` is one sentence for people, in which what is not printable is escaped."""

    closed_by: ClosedBy
    code: int
    """The end reason's number; 1000 to 2999 are the application's."""
    text: str
    """What whoever ended it said, as it was sent: at most 127 bytes, in the case of a problem GNS's own."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", int(self.code))  # an EndReason prints and formats as its name

    @property
    def reason(self) -> EndReason:
        """The code as an EndReason, with its explanation."""
        return EndReason(self.code)

    @property
    def range(self) -> EndReasonRange:
        """Which range the code is from: the application's, local, remote, ..."""
        return self.reason.range

    @property
    def can_retry(self) -> bool:
        """Whether trying again can help."""
        return self.reason.can_retry

    @property
    def ok(self) -> bool:
        """Whether it is the normal end of a connection: closed by an application, with a code from 1000 to 1999.

        Says nothing about what has arrived, and is no proof: GNS does not authenticate the packet that closes, so
        whoever sees a connection's packets can forge one. Sessions prove their ends.
        """
        return self.range is EndReasonRange.APP

    def __str__(self) -> str:
        verb = "ended by" if self.closed_by is ClosedBy.PROBLEM else "closed by"
        text = f": {printable(self.text)}" if self.text else ""
        return f"{verb} {self.closed_by.value}, {self.code} {self.reason.name}{text}"


def end_of(info: ConnectionInfo) -> ConnectionEnd:
    """The end that a final ConnectionInfo tells of."""
    match info.state:
        case ConnectionState.CLOSED_BY_PEER:
            closed_by = ClosedBy.PEER
        case ConnectionState.NONE:
            closed_by = ClosedBy.LOCAL
        case _:
            closed_by = ClosedBy.PROBLEM
    return ConnectionEnd(closed_by, info.end_reason, info.end_text)
