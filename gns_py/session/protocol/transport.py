"""The carrier of a session's frames: the connection under an engine, as the engine sees it."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol


class Hold(IntEnum):
    """Which messages must wait in the outbox, although an application's thread could send them by itself."""

    NONE = 0
    DATA = 1
    ALL = 2


class Transport(Protocol):
    """A connection, as far as an engine and its queues need it.

    The transport numbers DATA, keeps to the peer's credit, and unpacks DATA and UNTRACKED that arrive.
    """

    def begin(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:
        """Begin to unpack frames, within what this end takes."""

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:
        """Send a frame and return GNS's number for it.

        Raises:
            SendQueueFull: The connection has no room.
            MessageTooLarge: The frame never fits into the connection's send buffer.
        """

    def send_data(self, payload: bytes, lane: int, nagle: bool) -> int | None:
        """Send DATA and return its sequence number, or None without credit.

        Raises:
            SendQueueFull: The connection has no room.
            MessageTooLarge: The frame never fits into the connection's send buffer.
        """

    def sent(self) -> dict[int, int]:
        """Return the number of the last DATA sent on each lane that has one."""

    def allow(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:
        """Set what the peer takes. Before the first call it takes nothing."""

    def set_hold(self, hold: Hold) -> None:
        """Refuse messages of this kind from now on, unless this object sends them."""

    def grant(self, handled: int) -> tuple[int, int]:
        """Return the bytes and messages that this end takes in all, now that ``handled`` due messages are handled.

        An ack is due after each of these messages (see ``Inbox.acks_due``).
        """

    def silence(self) -> float:
        """Return the seconds since the last message arrived."""

    def request_room_event(self) -> None:
        """Ask for a call of ``Engine.flush()`` as soon as there is room for what ``send()`` has refused."""

    def outstanding(self) -> tuple[int, int]:
        """Return how many bytes and messages the connection holds that the peer's GNS has not acknowledged."""

    def close(self, code: int, text: str, linger: bool) -> None:
        """Close the connection."""
