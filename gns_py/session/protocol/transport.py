"""The carrier of a session's frames: the connections under an engine, as the engine sees them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Protocol


class Hold(IntEnum):
    """Which messages must wait in the outbox, although an application's thread could send them by itself."""

    NONE = 0
    DATA = 1
    ALL = 2


class Transport(Protocol):
    """The session's connection, as far as an engine and its queues need it: one after another.

    The transport numbers DATA, keeps to the peer's credit, and unpacks DATA and UNTRACKED that arrive. It keeps DATA
    for the next connection.
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
        """Send DATA and return its sequence number, or None without credit, or without a connection.

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

    def keep(self, max_bytes: int, max_messages: int) -> None:
        """Keep all DATA from now on until release_acked(). Beyond these bounds send_data() sends none."""

    def release_acked(self, handled: Mapping[int, int]) -> None:
        """Release the DATA that the peer has handled, up to these numbers of lanes."""

    def count_kept(self) -> int:
        """Return how many DATA are kept."""

    def detach(self) -> None:
        """Give up the connection: neither frames nor DATA are sent. It is not closed."""

    def close_later(self, code: int, text: str) -> None:
        """Close the connection, which is detached, once everything that has arrived was received."""

    def last_arrived(self) -> dict[int, int]:
        """Return the number of the last DATA that has arrived on each lane that has one."""

    def continue_from(
        self, sent: Mapping[int, int], arrived: Mapping[int, int], totals: tuple[int, int, int, int]
    ) -> None:
        """Go on from where the transport of another server was. Nothing was sent, and nothing has arrived.

        Args:
            sent: The number of the last DATA that was sent on each lane.
            arrived: The number of the last DATA that has arrived on each lane.
            totals: The payload bytes of both, and the bytes and messages that may arrive in all.
        """

    def resume(self, handled: Mapping[int, int]) -> None:
        """Go on, on the new connection: the peer sends everything again that is not handled, and may begin at once.

        DATA and UNTRACKED wait until replay() has sent everything.
        """

    def replay(self) -> bool:
        """Send the DATA that are kept again, as far as there is room; return True once that is done."""

    def release(self) -> None:
        """Forget the session, which has ended."""

    def request_room_event(self) -> None:
        """Ask for a call of ``Engine.flush()`` as soon as there is room for what ``send()`` has refused."""

    def outstanding(self) -> tuple[int, int]:
        """Return how many bytes and messages the connection holds that the peer's GNS has not acknowledged."""

    def close(self, code: int, text: str, linger: bool) -> None:
        """Close the connection."""
