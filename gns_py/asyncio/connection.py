"""The connection of an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Literal, cast, overload

from .._core.endpoint import Endpoint
from .._core.failures import is_leaving
from .._core.sending import SendingConnection
from .._core.waiting import take
from .._generated.enums import EndReason
from ..end import ConnectionEnd
from ..errors import ConcurrencyError, ConnectionClosedOK
from ..message import Message, MessageView, with_bytes, with_view
from .awaitable import Optionally
from .mailbox import LoopMailbox
from .waiters import Waiters

# A task that does nothing but send and drain, to a peer that receives it all, must not keep the loop to itself.
_DRAINS_IN_A_ROW = 32


class Connection(SendingConnection):
    """One end of a connection, for asyncio.

    ``async for data in connection`` receives until it is closed normally. As an async context manager it is closed at
    the end: with 1000; if the block is cancelled, with 1001 GOING_AWAY; if it raises, with 2001 INTERNAL_ERROR. One
    task at a time receives, and others get ConcurrencyError. Everything that is not a coroutine works from any thread.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        mailbox = cast("LoopMailbox", endpoint.mailbox)
        self._inbox = endpoint.inbox
        self._receiver = endpoint.readers = endpoint.own_readers = Waiters(mailbox.home, "connection", mailbox)
        self._watchers = endpoint.watchers = Waiters(mailbox.home, "connection", mailbox)
        self._drains = 0

    async def recv(self) -> bytes:
        """Wait for the next message and return its data.

        Cancelling this, or a time limit around it, loses no message.

        Raises:
            ConnectionClosedOK: The connection was closed normally, and everything that had arrived has been read.
            ConnectionClosedError: The connection ended in any other way.
            ConcurrencyError: Another task is receiving.

        Note:
            Native function: ``ReceiveMessagesOnPollGroup``, called by the thread that serves GNS.
        """
        inbox, receiver, endpoint = self._inbox, self._receiver, self._endpoint
        if not (inbox or receiver) and endpoint.events is None and endpoint.group is None and endpoint.end is None:
            await receiver.wait()  # this is _next() in fewer steps, for most messages
            try:
                data = inbox[0].data
                endpoint.count_handled(1, len(data))
                del inbox[0]  # one step, as far as the caller's return
                return data if type(data) is bytes else bytes(data)
            except IndexError:
                pass
        message = await self._next()
        return message.data if type(message) is Message else bytes(message.data)

    @overload
    async def recv_message(self, *, copy: Literal[True] = True) -> Message: ...

    @overload
    async def recv_message(self, *, copy: Literal[False]) -> MessageView: ...

    async def recv_message(self, *, copy: bool = True) -> Message | MessageView:
        """Wait for the next message and return it with its number, lane, reliability and time of arrival.

        Cancelling this, or a time limit around it, loses no message.

        Args:
            copy: False returns the data as a read-only memoryview of the receive buffer. It stays valid, and keeps
                the whole buffer (up to 512 KiB) alive: use it for large messages that are dealt with at once.

        Raises:
            ConnectionClosed: See recv().
            ConcurrencyError: See recv().
        """
        self._endpoint.takes_views = not copy
        message = await self._next()
        return with_bytes(message) if copy else with_view(message)

    async def recv_many(self, limit: int | None = None) -> list[Message]:
        """Wait for a message and return it with all others that have arrived.

        Cancelling this, or a time limit around it, loses no message.

        Args:
            limit: How many messages to return at most; None for all.

        Raises:
            ValueError: ``limit`` is less than 1.
            ConnectionClosed: See recv().
            ConcurrencyError: See recv().
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        while True:
            await self._wait_for_message()
            messages = take(self._inbox, limit)
            try:
                with_data = [with_bytes(message) for message in messages]
                if with_data:  # else another thread has closed the connection in between
                    self._endpoint.count_handled(len(messages), sum(len(message.data) for message in messages))
                    return with_data
            except BaseException:  # a signal handler's
                self._inbox.extendleft(reversed(messages))
                raise

    async def _next(self) -> Message | MessageView:
        inbox, endpoint = self._inbox, self._endpoint
        while True:
            if not inbox or self._receiver or endpoint.events is not None:
                await self._wait_for_message()
            try:
                message = inbox[0]
                endpoint.count_handled(1, len(message.data))
                del inbox[0]  # one step, as far as the caller's return
                return message
            except IndexError:  # another thread has closed the connection in between
                continue

    async def _wait_for_message(self) -> None:
        endpoint = self._endpoint
        self._receiver.check_loop()
        if self._receiver:
            raise ConcurrencyError("two tasks receive from the same connection at once")
        endpoint.check_own_reader()
        endpoint.redirect_events(None)
        while not self._inbox:
            if endpoint.end is not None:
                raise endpoint.closed_error()
            await self._receiver.wait()

    def __aiter__(self) -> Connection:
        """Iterate over the data of messages until the connection is closed normally.

        Raises:
            ConnectionClosedError: The connection ended in any other way.
        """
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self.recv()
        except ConnectionClosedOK:
            raise StopAsyncIteration from None

    async def drain(self) -> None:
        """Wait until the send queue is at most half full, and has room for what send() has refused.

        It returns at once while no more than half of ``send_buffer_size`` and ``max_unacked_segments`` is queued or
        unacknowledged. Any number of tasks can wait.

        Raises:
            ConnectionClosed: The connection has ended.
        """
        endpoint = self._endpoint
        self._watchers.check_loop()
        self._drains += 1
        if self._drains % _DRAINS_IN_A_ROW == 0:
            await asyncio.sleep(0)
        while True:
            queue = endpoint.send_queue()
            max_bytes, max_segments = endpoint.drain_mark(queue)
            endpoint.check_alive()
            if queue.bytes <= max_bytes and queue.segments <= max_segments:
                break
            endpoint.notify_drained(max_bytes, max_segments)
            await self._watchers.wait()
        endpoint.forget_refused()

    async def ping(self) -> float:
        """Wait for an answer of the peer's GNS, not of its application, and return the round trip in seconds.

        A packet that is lost is sent again, and the measurement restarts. Any number of tasks can wait: those that ask
        while one ping is under way share its answer. ``stats().ping_ms`` has GNS's own smoothed measure, which costs no
        packet.

        Raises:
            ConnectionClosed: The connection has ended.
        """
        endpoint = self._endpoint
        self._watchers.check_loop()
        pongs = endpoint.pongs
        endpoint.request_pong()
        while endpoint.pongs == pongs:
            if endpoint.end is not None:
                raise endpoint.closed_error()
            await self._watchers.wait()
        return endpoint.round_trip

    async def wait_closed(self) -> ConnectionEnd:
        """Wait until the connection has ended, whichever end closed it, and return why.

        Messages that had arrived can still be read afterwards.
        """
        while self._endpoint.end is None:
            await self._watchers.wait()
        return self._endpoint.end

    def close(
        self, code: int = EndReason.APP_GENERIC, text: str = "", *, linger: bool = True
    ) -> Awaitable[ConnectionEnd]:
        """Close the connection, and send code and text to the peer. Closing it again does nothing.

        Returns at once. Messages that had arrived and were not read are gone. Any thread.

        Args:
            code: 1000 to 1999 for a normal end, 2000 to 2999 for a fault.
            text: At most 127 bytes of UTF-8, without NUL. If it is empty, GNS sends a sentence of its own,
                "Application closed connection".
            linger: Whether what was sent before is still delivered in the background, for ``timeout_connected`` at
                most; stop() and the interpreter's exit wait for it a few seconds. Otherwise it is discarded, as it
                always is before the connection is established.

        Returns:
            An awaitable that does what wait_closed() does. There is no need to await it.

        Raises:
            TypeError: ``code`` is not an int, or ``text`` is not a str.
            ValueError: ``code`` is out of range, or ``text`` is too long or cannot be encoded.

        Note:
            Native function: ``CloseConnection``.
        """
        self._endpoint.close(code, text, linger=linger)
        return Optionally(self.wait_closed)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        endpoint = self._endpoint
        if is_leaving(value, endpoint):
            endpoint.close()
        elif is_leaving(value, endpoint, asyncio.CancelledError):
            endpoint.close(EndReason.GOING_AWAY)
        else:
            endpoint.close(EndReason.INTERNAL_ERROR, "an exception was raised")
