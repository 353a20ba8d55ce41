"""A connection's handle: the core's reports about the connection, as values and errors. Nothing in here waits."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import NoReturn, TypeVar

from .. import _native
from .._generated.enums import ConnectionState, EndReason, Result
from ..end import ClosedBy, ConnectionEnd, end_of
from ..errors import ConnectionClosed, ForkedError, MessageTooLarge, SendQueueFull, closed_error
from ..stats import ConnectionInfo, SendQueue
from .mailbox import Mailbox

T = TypeVar("T")
_ALIVE = (ConnectionState.CONNECTING, ConnectionState.FINDING_ROUTE, ConnectionState.CONNECTED)


class ConnectionHandle:
    """A connection in the core. Any thread."""

    def __init__(self, mailbox: Mailbox, handle: int, info: ConnectionInfo | None) -> None:
        self.handle = handle
        self.mailbox = mailbox
        self.is_established = False
        self.is_closed_here = False
        self.end: ConnectionEnd | None = None  # once its event has been dispatched
        self.last_info = info
        self.lanes = 1
        self.count_handled = partial(_native.handled, handle)
        """Called with counts of messages and bytes, which then no longer count against the receive limits."""
        self._closing = threading.Lock()
        self._announced_end: ConnectionEnd | None = None  # that close() announced, until the event confirms it
        self._refused = 0  # size of the largest message that the send queue had no room for: drain() makes it

    # ---- state ----

    @property
    def state(self) -> ConnectionState:
        """The state now; NONE once this end has closed the connection."""
        result = ConnectionState.NONE if self.is_closed_here else _native.state(self.handle)
        if result == _native.FORKED:
            self.raise_error(result)
        return ConnectionState(result) if result > 0 else ConnectionState.NONE

    @property
    def is_alive(self) -> bool:
        """True while neither its events nor this end's close() have ended it."""
        return self.end is None and not self.is_closed_here

    def current_end(self) -> ConnectionEnd | None:
        """Return the end as soon as it is known, by event or not; None while the connection lives."""
        if self.end is None and not self.is_closed_here:
            try:
                info = _native.info(self.handle)
            except _native.ConnectionGoneError:  # with the runtime: its event may be waiting
                self.mailbox.receive_if_idle(lambda: self.end)
            else:
                if info.state not in _ALIVE:
                    return end_of(info)
        return self.end or self._announced_end

    def info(self) -> ConnectionInfo:
        """Return what is known about the connection, or was last known."""
        try:
            self.last_info = _native.info(self.handle)
        except _native.ConnectionGoneError:
            if self.last_info is None:
                raise self.closed_error() from None
        return self.last_info

    def closed_error(self) -> ConnectionClosed:
        """Return the exception for a connection that has ended."""
        if self.end is None and self._unread_end() is None:
            # Stopped, or closed with its listen socket: then only the event in the mailbox knows the end.
            self.mailbox.receive_if_idle(lambda: self.end)
        end = (
            self.end
            or self._unread_end()
            or self._announced_end
            or ConnectionEnd(ClosedBy.LOCAL, EndReason.SHUTDOWN, "the runtime was stopped")
        )
        return closed_error(end)

    def _unread_end(self) -> ConnectionEnd | None:
        """Return the end that the core knows of and no one has read yet."""
        try:
            info = _native.info(self.handle)
        except (_native.ConnectionGoneError, ForkedError):
            return None
        return None if info.state in _ALIVE else end_of(info)

    def is_own_end(self, error: BaseException) -> bool:
        """Return whether an exception reports only the end of this connection, or of the runtime."""
        if not isinstance(error, ConnectionClosed):
            return False
        stopped = error.end.closed_by is ClosedBy.LOCAL and error.code == EndReason.SHUTDOWN
        return stopped or error.end == self.current_end()

    def check_alive(self) -> None:
        """Raise ConnectionClosed if the connection has ended."""
        if not self.is_alive:
            raise self.closed_error()

    # ---- errors of the core ----

    def ask(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function of the core; raise ConnectionClosed if it reports that the connection is gone."""
        try:
            return function(*arguments)
        except _native.ConnectionGoneError:
            raise self.closed_error() from None

    def check(self, result: int) -> None:
        """Raise the exception that a negative result of the core means for this connection."""
        if result < 0:
            self.raise_error(result)

    def raise_error(self, code: int, *, size: int = 0, lane: int = 0, sent: int = 0) -> NoReturn:
        """Raise the exception that an error code of the core means for this connection.

        Args:
            code: The error code, which a function has just returned on this thread.
            size: The size of the message that was refused, in bytes.
            lane: Its lane.
            sent: How many messages of the same call were accepted before it.
        """
        if code in _native.GONE:
            raise self.closed_error()
        if code == _native.LIMIT_EXCEEDED:
            full = SendQueueFull(
                "the send queue is full: the peer is not receiving messages as fast as they are sent; wait with drain()"
            )
            full.sent = sent
            self._refused = max(self._refused, size)
            raise full
        error = _native.exception_for(code)
        if code == -Result.INVALID_PARAM and lane:
            raise ValueError(f"lane {lane} is not configured: this connection has {self.lanes}")
        if size and code == _native.TOO_LARGE:
            self.raise_too_large(size, sent)
        raise error

    def raise_too_large(self, size: int, sent: int = 0) -> NoReturn:
        """Raise MessageTooLarge, with the limit that applies to this connection."""
        limit, name = _native.MAX_MESSAGE_SIZE, "a message"
        with contextlib.suppress(_native.ConnectionGoneError):
            if (queue := _native.send_queue(self.handle)).max_bytes < limit:
                limit, name = queue.max_bytes, "with this send_buffer_size a message"
        error = MessageTooLarge(f"{name} may have {limit} bytes, not {size}")
        error.sent = sent
        raise error

    # ---- sending and measuring ----

    def send_queue(self) -> SendQueue:
        """Return how much is queued or unacknowledged, and the limits."""
        return self.ask(_native.send_queue, self.handle)

    def drain_mark(self, queue: SendQueue) -> tuple[int, int]:
        """Return the bytes and segments at which drain() returns: half of the queue, or room for what was refused."""
        refused = min(self._refused, queue.max_bytes)
        room = max(refused, queue.max_bytes // 2)
        # One message may need more segments than half of them, but any message fits into an empty queue.
        return queue.max_bytes - room, queue.max_segments // 2 if room > refused else 0

    def forget_refused(self) -> None:
        """Forget the size of the refused message, since drain() has made room for it."""
        self._refused = 0

    def wait_drained(self, limit_us: int, max_bytes: int, max_segments: int) -> int:
        """Wait natively until no more than this is queued. Returns 0 if the limit expires first."""
        result: int = _native.wait_drained(self.handle, limit_us, max_bytes, max_segments)
        self.check(result)
        return result

    def notify_drained(self, max_bytes: int, max_segments: int) -> None:
        """Ask the core for a call of on_room() once no more than this is queued."""
        self.ask(_native.notify_drained, self.handle, max_bytes, max_segments)

    def wait_pong(self, limit_us: int, answers: list[float]) -> int:
        """Wait natively for a ping's answer, and append the round trip in seconds. Returns 0 if the limit expires."""
        round_trip_us = _native.new_int64()
        result: int = _native.wait_pong(self.handle, limit_us, round_trip_us)
        self.check(result)
        if result:
            answers.append(float(round_trip_us[0] / 1e6))
        return result

    def request_pong(self) -> None:
        """Send a ping; its answer goes to on_pong()."""
        self.ask(_native.ping, self.handle)

    def wait_ended(self, limit_us: int) -> int:
        """Wait natively until the connection has ended. Returns 0 if the limit expires first."""
        result: int = _native.wait_ended(self.handle, limit_us)
        if result == _native.FORKED:
            self.raise_error(result)
        return result

    # ---- the end ----

    def announce_end(self, code: int, text: str) -> None:
        """Record the end that this side is about to make: other threads see it until its event has been read."""
        self._announced_end = (
            self._announced_end or self._unread_end() or ConnectionEnd(ClosedBy.LOCAL, int(code), text)
        )

    def abandon(self, code: int, text: bytes) -> None:
        """Close the connection of an application's object that was dropped. Called at any moment, on any thread."""
        self.is_closed_here = True
        _native.close(self.handle, code, text, True)
        self.mailbox.forget(self.handle)
