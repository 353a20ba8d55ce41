"""The receivers of a mailbox's events: the ends of connections, and listen sockets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from .. import _native
from .._generated.enums import ConnectionState, Result
from ..events import RouteChanged, StatusChanged
from ..message import Message, MessageView
from ..route import Route
from ..stats import ConnectionInfo
from .diversion import Diversion

Backlog = deque[_native.Record]
"""Records that have left the core. Every on_...() that takes it removes its first record, in one step with storing
what the record is about: see waiting.py."""

FramedCallback = Callable[[Message, int, int, Backlog], None]
"""Takes a framed message, with its lane and number, which are at hand, and removes its record from the backlog."""


class Notified(Protocol):
    """Calls an application's callback, on the thread that reads the mailbox."""

    def notify(self, change: Any) -> None:  # noqa: ANN401 - of each receiver's own kind
        """Call the callback for a change."""


class Receiver(Protocol):
    """The end of a connection, to which events are dispatched on the thread that reads the mailbox."""

    handle: int
    is_closed_here: bool
    """True once the application has closed it: what arrives is dropped."""
    takes_views: bool
    """True to get messages as MessageView, without a copy."""
    diversion: Diversion | None
    """Takes some of the messages that are not framed."""
    on_data: FramedCallback
    """Takes DATA, a framed message that is reliable."""
    on_ack_due_data: FramedCallback
    """Takes DATA after which an acknowledgement is due."""
    on_untracked: FramedCallback
    """Takes UNTRACKED, a framed message that is not reliable."""

    def on_message(self, message: Message | MessageView, backlog: Backlog) -> None:
        """Take a message that is not framed."""

    def on_status(
        self, old: ConnectionState, new: ConnectionState, info: ConnectionInfo, time_us: int, backlog: Backlog
    ) -> None:
        """Take a change of the connection's state; its callback is called afterwards, by notify()."""

    def on_pong(self, round_trip: float) -> None:
        """Take the answer to a ping, after that many seconds."""

    def on_route(self, old: Route, new: Route, info: ConnectionInfo, time_us: int) -> None:
        """Take a change of the route to a peer; its callback is called afterwards, by notify()."""

    def on_room(self) -> None:
        """Use the room in the send queue that _native.notify_drained() asked for."""

    def on_send_failed(self, number: int, result: Result) -> None:
        """Report that GNS refused a message which the core had accepted."""

    def notify(self, change: StatusChanged[Any] | RouteChanged[Any]) -> None:
        """Call the application's callback."""

    def close(self, code: int, text: str, *, linger: bool) -> None:
        """Close the connection."""


class Sender(Protocol):
    """Sends the signals of a signalling, which are dispatched on the thread that reads the mailbox."""

    def on_signal(self, record: bytes) -> None:
        """Take a signal, with its receiver, as GNS_EVENT_SIGNAL has them."""

    def on_stopped(self) -> None:
        """Give up: GNS was stopped."""


class Acceptor(Protocol):
    """A listen socket, to which inbound connections are dispatched on the thread that reads the mailbox."""

    def on_inbound(self, handle: int, info: ConnectionInfo, time_us: int) -> Receiver:
        """Take an inbound connection."""

    def on_stopped(self) -> None:
        """Wake everyone who waits: nothing arrives any longer."""
