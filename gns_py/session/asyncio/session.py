"""The session of an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from types import TracebackType
from typing import Literal, overload

from ..._core.failures import is_leaving
from ..._generated.enums import EndReason
from ...asyncio.awaitable import Optionally
from ...errors import ConcurrencyError, ConnectionClosed
from ...message import Message, MessageView, with_view
from ..errors import SessionClosedOK, session_closed_error
from ..protocol.reasons import SessionEnd
from ..protocol.state import Phase
from .committing import CommittingSession
from .endpoint import LoopEndpoint


class Session(CommittingSession):
    """One end of a session, for asyncio.

    ``async for data in session`` receives until it is closed normally. As an async context manager it is closed at the
    end, and the peer's answer waited for: with 1000; if the block is cancelled or raises, it is closed in the
    background, with 1000 or with 2001 INTERNAL_ERROR. One task at a time receives, and others get ConcurrencyError.
    Everything that is not a coroutine works from any thread.
    """

    def __init__(self, session: LoopEndpoint) -> None:
        super().__init__(session)
        self._receiver = session.readers

    async def recv(self) -> bytes:
        """Wait for the next message and return its data, which then counts as handled.

        Cancelling this, or a time limit around it, loses no message.

        Raises:
            SessionClosedOK: The session was closed normally, and all messages before the end have been taken.
            SessionClosedError: The session ended in any other way.
            ConcurrencyError: Another task is receiving.
        """
        return (await self._next()).data

    @overload
    async def recv_message(self, *, copy: Literal[True] = True) -> Message: ...

    @overload
    async def recv_message(self, *, copy: Literal[False]) -> MessageView: ...

    async def recv_message(self, *, copy: bool = True) -> Message | MessageView:
        """Wait for the next message and return it with its number, lane, reliability and time of arrival.

        The number of a reliable message is the session's number on its lane, that of others GNS's. Cancelling this, or
        a time limit around it, loses no message.

        Args:
            copy: False returns the data as a read-only memoryview, for code that takes those of connections; a session
                copies in any case.

        Raises:
            SessionClosed: See recv().
            ConcurrencyError: See recv().
        """
        message = await self._next()
        return message if copy else with_view(message)

    async def recv_many(self, limit: int | None = None) -> list[Message]:
        """Wait for a message and return it with all others that have arrived.

        Cancelling this, or a time limit around it, loses no message.

        Args:
            limit: How many messages to return at most; None for all.

        Raises:
            ValueError: ``limit`` is less than 1.
            SessionClosed: See recv().
            ConcurrencyError: See recv().
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        messages = [await self._next()]
        try:
            while len(messages) != limit and (message := self._internal.take()) is not None:
                messages += (message,)  # one step: see waiting.py
            return messages
        except BaseException:  # a signal handler's
            for message in reversed(messages):
                self._inbox.put_back(message)
            raise

    async def _next(self) -> Message:
        inbox = self._inbox
        message = inbox.take()
        if message is None:
            message = await self._wait_for_message()
        if inbox.acks_due != inbox.acks_sent:
            self._internal.acknowledge(message)
        return message

    async def _wait_for_message(self) -> Message:
        self._receiver.check_loop()
        if self._receiver:
            raise ConcurrencyError("two tasks receive from the same session at once")
        while True:
            if not self._internal.is_established and (end := self.end) is not None:
                raise session_closed_error(end)
            await self._receiver.wait()
            message = self._inbox.take()
            if message is not None:
                return message

    def __aiter__(self) -> Session:
        """Iterate over the data of messages until the session is closed normally.

        Raises:
            SessionClosedError: The session ended in any other way.
        """
        return self

    async def __anext__(self) -> bytes:
        try:
            return (await self._next()).data
        except SessionClosedOK:
            raise StopAsyncIteration from None

    async def drain(self) -> None:
        """Wait until no message waits for the peer to read, and Connection.drain() has nothing to wait for.

        While the session has no connection, this waits. Any number of tasks can wait.

        Raises:
            SessionClosed: The session has ended.
        """
        session = self._internal
        session.watchers.check_loop()
        while True:
            with contextlib.suppress(ConnectionClosed):  # the session says why
                await self.connection.drain()
            if session.is_drained():
                return
            await session.watchers.wait()

    async def ping(self) -> float:
        """Wait for an answer of the peer's GNS, not of its program, through outages. See Connection.ping().

        Raises:
            SessionClosed: The session has ended.
        """
        self._internal.watchers.check_loop()
        while True:
            with contextlib.suppress(ConnectionClosed):
                return await self.connection.ping()
            await self.wait_resumed()

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "", data: bytes = b"") -> Awaitable[bytes]:
        """Say goodbye, after everything that was sent. Any thread.

        Messages that arrive from now on are dropped. If the peer does not answer within ``close_timeout``, the
        connection is closed, and the result is empty. If the peer has said goodbye first, its code and text hold, and
        these are not sent. Closing it again returns the same data.

        Args:
            code: 1000 to 1899 for a normal end, 2000 to 2899 for a fault.
            text: For people, up to 1,024 bytes.
            data: For the peer's application, up to 64 KiB.

        Returns:
            An awaitable for the data of the peer's own close(). There is no need to await it: closing continues by
            itself.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: ``code`` is out of range, or ``text`` or ``data`` is too long.
        """
        self._internal.begin_close(code, text, data)
        return Optionally(self._wait_for_peer_data)

    async def _wait_for_peer_data(self) -> bytes:
        return (await self.wait_closed()).data

    async def wait_closed(self) -> SessionEnd:
        """Wait until the session has ended, whichever end closed it, and return why.

        Messages that had arrived can still be read afterwards.
        """
        while (end := self._internal.engine.end) is None:
            await self._internal.watchers.wait()
        return end

    async def wait_established(self) -> None:
        """Wait until both ends know that they have the session.

        Raises:
            SessionFailed: The session was not established.
        """
        while self._internal.engine.phase is Phase.SETTING_UP:
            await self._internal.watchers.wait()
        if not self._internal.engine.was_established:
            raise self._internal.failed_error()

    async def wait_resumed(self) -> None:
        """Wait until the session has a connection, if it has lost it.

        Raises:
            SessionClosed: The session has ended.
        """
        self._internal.watchers.check_loop()
        while not self._internal.has_connection:
            if self._internal.has_ended:
                raise self._internal.closed_error()
            await self._internal.watchers.wait()

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if value is None:
            await self.close()
        elif is_leaving(value, self._internal, asyncio.CancelledError):
            self._internal.begin_close(EndReason.APP_GENERIC, "", b"")
        else:
            self._internal.begin_close(EndReason.INTERNAL_ERROR, "an exception was raised", b"")
