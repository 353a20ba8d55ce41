"""What can happen: frozen records, for match statements and for callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeVar

from ._generated.enums import ConnectionState, EndReason, EndReasonRange, Result
from ._printable import printable
from .message import Message
from .stats import ConnectionInfo

if TYPE_CHECKING:
    from ._core.endpoint import Endpoint

C = TypeVar("C", bound="Endpoint")


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


@dataclass(frozen=True, slots=True)
class StatusChanged(Generic[C]):
    """A connection's state has changed (SteamNetConnectionStatusChangedCallback_t)."""

    connection: C
    old: ConnectionState
    new: ConnectionState
    """NONE when this end has closed it."""
    info: ConnectionInfo
    """How it stood at that moment."""
    time_us: int
    """When, in microseconds of gns_py.time_us()."""

    @property
    def end(self) -> ConnectionEnd | None:
        """Why it ended, in the one event that ends a connection; None in all others."""
        alive = self.new in (ConnectionState.CONNECTING, ConnectionState.FINDING_ROUTE, ConnectionState.CONNECTED)
        return None if alive else end_of(self.info)


@dataclass(frozen=True, slots=True)
class ConnectionRequest(Generic[C]):
    """Somebody wants to connect: NONE -> CONNECTING of an inbound connection. It waits for accept() or reject().

    Left alone it times out at both ends, after timeout_initial.
    """

    connection: C
    """Not connected yet. What is sent on it now arrives if it is accepted."""

    def accept(self) -> C:
        """Accepts and returns the connection; its events go on to come from where this one came from.

        Errors: ConnectionClosed if the peer has given up meanwhile; InvalidStateError if it was accepted before.
        Native: AcceptConnection.
        """
        self.connection._accept(None)
        return self.connection

    def reject(self, code: int = EndReason.APP_GENERIC, text: str = "") -> None:
        """Refuses: the peer's connect() fails with this code and text.

        Errors: as for Connection.close(). Native: CloseConnection.
        """
        self.connection._close(code, text, linger=False)


@dataclass(frozen=True, slots=True)
class MessageReceived(Generic[C]):
    """A message has arrived."""

    connection: C
    message: Message


@dataclass(frozen=True, slots=True)
class SendFailed(Generic[C]):
    """GNS refused a message that send() had taken. Rare: what GNS refuses is mostly known before."""

    connection: C
    number: int
    """What send() returned."""
    result: Result
