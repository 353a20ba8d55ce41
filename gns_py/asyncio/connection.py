"""The connection of an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Generator
from types import TracebackType
from typing import Any, Literal, overload

from .. import _native
from .._core.endpoint import Endpoint, StatusCallback
from .._core.failures import is_leaving
from .._core.runtime import take
from .._generated.enums import EndReason
from ..errors import ConcurrencyError, ConnectionClosedOK
from ..events import ConnectionEnd, StatusChanged
from ..message import Message, MessageView, with_bytes, with_view
from ..stats import ConnectionInfo
from .mailbox import LoopMailbox, Waiters

# A task that does nothing but send and drain, to a peer that takes it all, must not keep the loop to itself.
_DRAINS_IN_A_ROW = 32


class Connection(Endpoint):
    """One end of a connection, for asyncio. ``async for data in connection`` receives until it is closed normally.

    As an async context manager it is closed at the end: with 1000; if the block is cancelled, with 1001 GOING_AWAY; if
    it raises, with 2001 INTERNAL_ERROR.
    One task at a time receives, others get ConcurrencyError. All that is no coroutine works from any thread.
    """

    def __init__(
        self, mailbox: LoopMailbox, handle: int, info: ConnectionInfo | None, on_status_changed: StatusCallback | None
    ) -> None:
        super().__init__(mailbox, handle, info, on_status_changed)
        self._receiver = Waiters(mailbox.home, "connection", mailbox)
        self._readers: Waiters = self._receiver  # or a poll group's
        self._changed = Waiters(mailbox.home, "connection", mailbox)
        self._drains = 0
        self._pongs = 0
        self._round_trip = 0.0

    async def recv(self) -> bytes:
        """Waits for the next message and returns its data.

        Cancelling it, or a time limit around it, loses no message.
        Errors: once all that had arrived has been read, ConnectionClosedOK or ConnectionClosedError; ConcurrencyError.
        Native: ReceiveMessagesOnPollGroup, on the pump's thread.
        """
        message = await self._next()
        return message.data if type(message) is Message else bytes(message.data)

    @overload
    async def recv_message(self, *, copy: Literal[True] = True) -> Message: ...

    @overload
    async def recv_message(self, *, copy: Literal[False]) -> MessageView: ...

    async def recv_message(self, *, copy: bool = True) -> Message | MessageView:
        """As recv(), with number, lane, reliability and time of arrival.

        copy: False hands the data out as a read-only memoryview of the buffer that it was received into. It stays
        valid, and keeps the whole buffer (up to 512 KiB) alive: for large messages that are dealt with at once.
        """
        self._views = not copy
        message = await self._next()
        return with_bytes(message) if copy else with_view(message)

    async def recv_many(self, limit: int | None = None) -> list[Message]:
        """Waits for a message and returns it with all others that have arrived, at most limit. Errors: as recv()."""
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        while True:
            await self._wait_for_message()
            messages = take(self._inbox, limit)
            try:
                with_data = [with_bytes(message) for message in messages]
                if with_data:  # else another thread has closed it in between
                    _native.handled(self.handle, len(messages), sum(len(message.data) for message in messages))
                    return with_data
            except BaseException:  # a signal's
                self._inbox.extendleft(reversed(messages))
                raise

    async def _next(self) -> Message | MessageView:
        inbox = self._inbox
        while True:
            if not inbox or self._receiver or self._events is not None:
                await self._wait_for_message()
            try:
                message = inbox[0]
                _native.handled(self.handle, 1, len(message.data))
                del inbox[0]  # one step, as far as the caller's return
                return message
            except IndexError:  # another thread has closed it in between
                continue

    async def _wait_for_message(self) -> None:
        self._receiver.check_loop()
        if self._receiver:
            raise ConcurrencyError("two tasks receive from the same connection at once")
        self._check_own_reader()
        self._collect(None)
        while not self._inbox:
            if self._end is not None:
                raise self._closed()
            await self._receiver.wait()

    def __aiter__(self) -> Connection:
        """The messages' data, until the connection is closed normally; ConnectionClosedError if it ends otherwise."""
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except ConnectionClosedOK:
            raise StopAsyncIteration from None

    async def drain(self) -> None:
        """Waits until the send queue is at most half full, and has room for what send() has refused.

        That is the high-water mark: it returns at once while no more than half of send_buffer_size and
        max_unacked_segments is queued or unacked. Any number of tasks. Errors: ConnectionClosed.
        """
        self._changed.check_loop()
        self._drains += 1
        if self._drains % _DRAINS_IN_A_ROW == 0:
            await asyncio.sleep(0)
        while True:
            queue = self.send_queue()
            max_bytes, max_segments = self._drain_bound(queue)
            if self._end is not None or self._closed_here:
                raise self._closed()
            if queue.bytes <= max_bytes and queue.segments <= max_segments:
                break
            self._check(_native.notify_drained(self.handle, max_bytes, max_segments))
            await self._changed.wait()
        self._refused = 0

    async def ping(self) -> float:
        """Waits for an answer of the peer's GNS, not of its application, and returns the round trip in seconds.

        What is lost on the way is sent again, and measured anew. Any number of tasks: those that ask while one ping is
        under way share its answer. ``stats().ping_ms`` has GNS's own smoothed measure, which costs no packet.
        Errors: ConnectionClosed.
        """
        self._changed.check_loop()
        pongs = self._pongs
        self._check(_native.ping(self.handle))
        while self._pongs == pongs:
            if self._end is not None:
                raise self._closed()
            await self._changed.wait()
        return self._round_trip

    async def wait_closed(self) -> ConnectionEnd:
        """Waits until the connection has ended, by whomever, and returns why. What had arrived can still be read."""
        while self._end is None:
            await self._changed.wait()
        return self._end

    def close(
        self, code: int = EndReason.APP_GENERIC, text: str = "", *, linger: bool = True
    ) -> Awaitable[ConnectionEnd]:
        """Closes the connection; the peer is told code and text. At once, and once: closing again does nothing.

        There is no need to await the result; that is wait_closed().
        code: 1000 to 1999 for a normal end, 2000 to 2999 for a fault. text: at most 127 bytes of UTF-8, without NUL;
        where it is empty, GNS tells the peer a sentence of its own, "Application closed connection".
        linger: what was sent before is still delivered in the background, for timeout_connected at most (stop() and the
        interpreter's exit wait for it a few seconds); otherwise it is discarded, as it is before the connection is
        established. What had arrived and was not read is gone.
        Errors: TypeError, ValueError. Any thread. Native: CloseConnection.
        """
        self._close(code, text, linger=linger)
        return _Closed(self)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if is_leaving(value, self):
            self._close()
        elif is_leaving(value, self, asyncio.CancelledError):
            self._close(EndReason.GOING_AWAY)
        else:
            self._close(EndReason.INTERNAL_ERROR, "an exception was raised")

    async def _wait_established(self) -> None:
        """Until it is connected or has ended."""
        while not self._established and self._end is None:
            await self._changed.wait()

    def _on_status(self, change: StatusChanged[Any], backlog: deque[Any]) -> None:
        super()._on_status(change, backlog)
        self._changed.wake()
        self._readers.wake()

    def _on_pong(self, round_trip: float) -> None:
        self._pongs += 1
        self._round_trip = round_trip
        self._changed.wake()

    def _on_drained(self) -> None:
        super()._on_drained()
        self._changed.wake()


class _Closed:
    """What close() returns: nothing has to wait for it."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __await__(self) -> Generator[Any, None, ConnectionEnd]:
        return self._connection.wait_closed().__await__()
