"""The interface of a layer above connections that receives their events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ..end import ConnectionEnd
from ..message import Message
from .receiver import Backlog


class Sink(Protocol):
    """Receives a connection's events instead of the connection itself; implemented by a higher layer.

    Called on the thread that reads the mailbox. An event that cannot be dealt with in one step, or must stay in order
    with one that cannot, goes into ``inputs``, as a function and its arguments, for work() to carry out.
    """

    inputs: deque[tuple[Callable[..., None], tuple[Any, ...]]]

    def work(self) -> None:
        """Carry out the inputs. Raises nothing."""

    def on_data(self, message: Message, lane: int, number: int, backlog: Backlog) -> None:
        """Take DATA."""

    def on_ack_due_data(self, message: Message, lane: int, number: int, backlog: Backlog) -> None:
        """Take DATA after which _native.stream_grant() is due."""

    def on_untracked(self, message: Message, lane: int, number: int, backlog: Backlog) -> None:
        """Take UNTRACKED."""

    def take_message(self, message: Message) -> None:
        """Take any other message; through the inputs, if it is reliable."""

    def take_unreliable(self, message: Message) -> None:
        """Take any other unreliable message."""

    def take_end(self, end: ConnectionEnd) -> None:
        """Handle the end of the connection. Called through the inputs."""

    def take_room(self) -> None:
        """Use the room in the send queue that was asked for. Called through the inputs."""
