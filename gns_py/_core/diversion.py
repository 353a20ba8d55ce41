"""Messages that do not go to the application: another part of the program shares its connection or session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..errors import InvalidStateError
from ..message import Message, MessageView


class Diversion:
    """Takes the unreliable messages that begin with a prefix; the application does not see them.

    Args:
        prefix: The first bytes.
        take: Called with the data of each message, on the thread that reads the connection. It raises nothing.
        is_needed: Returns whether there must be no other diversion.
    """

    __slots__ = ("_prefix", "_size", "is_needed", "take")

    def __init__(self, prefix: bytes, take: Callable[[bytes], None], is_needed: Callable[[], bool]) -> None:
        self._prefix = prefix
        self._size = len(prefix)
        self.take = take
        self.is_needed = is_needed

    def concerns(self, message: Message | MessageView) -> bool:
        """Return whether a message is one of those."""
        return not message.reliable and message.data[: self._size] == self._prefix


class Divertible(Protocol):
    """The internal end of a connection or a session, some of whose messages can go elsewhere."""

    diversion: Diversion | None

    @property
    def is_over(self) -> bool:
        """True once nothing more will arrive or can be sent."""

    @property
    def drops(self) -> int:
        """How often it has lost its connection and got another one, or is to get another one."""

    def divert(self, diversion: Diversion) -> None:
        """Let a diversion take its messages from now on. There remains one for good. Any thread.

        Raises:
            InvalidStateError: Another one is needed, or a session has the connection.
        """

    def divert_waiting(self) -> None:
        """Let the diversion take those of its messages that wait to be read. On the thread that reads."""

    def send_aside(self, data: bytes) -> bool:
        """Send an unreliable message, and return True; return False if it is dropped instead. Any thread."""

    def read_if_idle(self) -> None:
        """Read what has arrived if no thread does, unless much waits to be taken already. Any thread."""


def check_free(end: Divertible) -> None:
    """Raise InvalidStateError if there is a diversion that is needed."""
    if end.diversion is not None and end.diversion.is_needed():
        raise InvalidStateError("a ServerRelay, or a RelaySignalling, has the connection already")
