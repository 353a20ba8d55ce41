"""Events, as frozen dataclasses for match statements and callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ._generated.enums import ConnectionState, Result
from .end import ConnectionEnd, end_of
from .message import Message
from .route import Route
from .stats import ConnectionInfo

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class StatusChanged(Generic[C]):
    """A connection's state has changed (SteamNetConnectionStatusChangedCallback_t)."""

    connection: C
    old: ConnectionState
    new: ConnectionState
    """NONE if this end has closed the connection."""
    info: ConnectionInfo
    """The connection's properties at that moment."""
    time_us: int
    """The time of the change, in microseconds of gns_py.time_us()."""

    @property
    def end(self) -> ConnectionEnd | None:
        """Why the connection ended, in the event that ends it; None in all others."""
        alive = self.new in (ConnectionState.CONNECTING, ConnectionState.FINDING_ROUTE, ConnectionState.CONNECTED)
        return None if alive else end_of(self.info)


@dataclass(frozen=True, slots=True)
class RouteChanged(Generic[C]):
    """The packets of an established connection go another way than before."""

    connection: C
    old: Route
    new: Route
    info: ConnectionInfo
    """The connection's properties at that moment."""
    time_us: int
    """The time of the change, in microseconds of gns_py.time_us()."""


@dataclass(frozen=True, slots=True, init=False)
class MessageReceived(Generic[C]):
    """A message has arrived."""

    connection: C
    message: Message

    def __init__(self, connection: C, message: Message) -> None:
        _set_connection(self, connection)
        _set_message(self, message)


# The last steps of a frozen dataclass's own __init__(), without the lookups and calls that lead to them: there are many
# messages.
_set_connection: Callable[[object, object], None] = vars(MessageReceived)["connection"].__set__
_set_message: Callable[[object, object], None] = vars(MessageReceived)["message"].__set__


@dataclass(frozen=True, slots=True)
class SendFailed(Generic[C]):
    """GNS refused a message that send() had accepted. Rare, since send() checks nearly everything itself."""

    connection: C
    number: int
    """The number that send() returned."""
    result: Result
