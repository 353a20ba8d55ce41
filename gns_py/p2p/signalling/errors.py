"""The exceptions of signalling.

GNSError
└── SignallingError
    ├── SignallingClosed (ConnectionError)        it was closed, or has ended
    ├── SignallingUnavailable (ConnectionError)   the service cannot be reached, or does not answer in time
    ├── SignallingRefused (ConnectionError)       the service has refused this client for good: see .reason
    └── RoomError                                 a room cannot be created or joined: see .reason
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from ..._printable import printable
from ...errors import GNSError


class Refusal(Enum):
    """The reasons for which a signalling service refuses a client or a request. Trying again does not help by itself.

    The values are the numbers of the protocol.
    """

    PROTOCOL = 1
    """The client sent something that the protocol does not allow."""
    VERSION = 2
    """The service speaks another version of the protocol."""
    NOT_AUTHENTICATED = 3
    """The token or the certificate proves no identity to this service."""
    REPLACED = 4
    """The same identity has logged in again, elsewhere; the newer login counts."""
    REMOVED = 5
    """The server has removed the client from its relay, or has closed the relay."""
    NO_ROOM = 16
    """There is no such room."""
    ROOM_FULL = 17
    """The room has as many members as it may have."""
    ROOM_EXISTS = 18
    """There is a room with this name already."""
    TOO_MANY_ROOMS = 19
    """The client is in as many rooms as it may be, or the service has no room left."""


def refusal_of(number: int) -> Refusal:
    """Return the reason with a number; PROTOCOL for one that only later versions know."""
    try:
        return Refusal(number)
    except ValueError:
        return Refusal.PROTOCOL


class SignallingError(GNSError):
    """The base class of the exceptions of signalling."""


class SignallingClosed(SignallingError, ConnectionError):
    """The signalling was closed, or has ended; ``__cause__`` is the reason if it was not closed by this program."""


class SignallingUnavailable(SignallingError, ConnectionError):
    """The service cannot be reached, or does not answer in time; trying again later can help."""


class _Refused(SignallingError):
    def __init__(self, reason: Refusal, text: str = "") -> None:
        super().__init__(reason, text)
        self.reason = reason
        """Why the service has refused."""
        self.text = text
        """The text of the service, which may come from anyone: escape it before you print it."""

    def __str__(self) -> str:
        name = self.reason.name.lower().replace("_", " ")
        return f"{name}: {printable(self.text)}" if self.text else name

    def __reduce__(self) -> tuple[type[_Refused], tuple[Refusal, str], dict[str, Any]]:
        return type(self), (self.reason, self.text), self.__dict__


class SignallingRefused(_Refused, ConnectionError):
    """The service has refused this client, or has ended its login; it does not try again by itself.

    Attributes:
        reason: Why.
        text: The service's text.
    """


class RoomError(_Refused):
    """A room cannot be created or joined.

    Attributes:
        reason: Why.
        text: The service's text.
    """
