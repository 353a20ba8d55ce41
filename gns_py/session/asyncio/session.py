"""The session of an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Generator
from math import inf
from types import TracebackType
from typing import Any, Literal, cast, overload

from ... import _native
from ..._core.failures import is_leaving
from ..._generated.enums import EndReason
from ...asyncio import Connection
from ...asyncio.mailbox import LoopMailbox, Waiters
from ...errors import ConcurrencyError, ConnectionClosed
from ...message import Message, MessageView, with_view
from .._core.session import BaseSession, check_goodbye
from ..errors import SessionClosedOK, session_closed_error
from ..protocol.engine import Engine, Phase
from ..protocol.reasons import CloseReason, SessionEnd
from ..protocol.transport import Transport


class Session(BaseSession[Connection]):
    """One end of a session, for asyncio. ``async for data in session`` receives until it is closed normally.

    As an async context manager it is closed at the end, and the other end's answer waited for: with 1000; if the block
    is cancelled or raises, it is closed in the background, with 1000 or with 2001, INTERNAL_ERROR.
    One task at a time receives, others get ConcurrencyError. All that is no coroutine works from any thread.
    """

    def __init__(self, connection: Connection, make_engine: Callable[[Transport], Engine]) -> None:
        super().__init__(connection, make_engine)
        self._loop = asyncio.get_running_loop()
        self._loop_mailbox = cast("LoopMailbox", connection._mailbox)
        self._thread = threading.get_ident()
        home = self._loop_mailbox.home
        self.readers = Waiters(home, "session", self._loop_mailbox)
        self._waiters = Waiters(home, "session", self._loop_mailbox)
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0
        connection._attach(self)
        self._changed()

    async def recv(self) -> bytes:
        """Waits for the next message and returns its data, which counts as handled with that.

        Cancelling it, or a time limit around it, loses no message.
        Errors: once all messages before the end have been taken, SessionClosedOK or SessionClosedError;
        ConcurrencyError.
        """
        return (await self._next()).data

    @overload
    async def recv_message(self, *, copy: Literal[True] = True) -> Message: ...

    @overload
    async def recv_message(self, *, copy: Literal[False]) -> MessageView: ...

    async def recv_message(self, *, copy: bool = True) -> Message | MessageView:
        """As recv(), with number, lane, reliability and time of arrival.

        number: of a reliable message the session's number on its lane, of others GNS's. copy: False hands the data out
        as a read-only memoryview, for code that takes those of connections; a session copies in any case.
        """
        message = await self._next()
        return message if copy else with_view(message)

    async def recv_many(self, limit: int | None = None) -> list[Message]:
        """Waits for a message and returns it with all others that have arrived, at most limit. Errors: as recv()."""
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        messages = [await self._next()]
        try:
            while len(messages) != limit and (message := self._take()) is not None:
                messages += (message,)  # one step: see runtime.py
            return messages
        except BaseException:  # a signal's
            for message in reversed(messages):
                self._inbox.put_back(message)
            raise

    async def _next(self) -> Message:
        inbox = self._inbox
        message = inbox.take()
        if message is None:
            message = await self._wait_for_message()
        if inbox.acks_due != inbox.acks_sent:
            self._acknowledge(message)
        return message

    async def _wait_for_message(self) -> Message:
        self.readers.check_loop()
        if self.readers:
            raise ConcurrencyError("two tasks receive from the same session at once")
        while True:
            if self._engine.phase is not Phase.ESTABLISHED and (end := self.end) is not None:
                raise session_closed_error(end)
            await self.readers.wait()
            message = self._inbox.take()
            if message is not None:
                return message

    def __aiter__(self) -> Session:
        """The messages' data, until the session is closed normally; SessionClosedError if it ends otherwise."""
        return self

    async def __anext__(self) -> bytes:
        try:
            return (await self._next()).data
        except SessionClosedOK:
            raise StopAsyncIteration from None

    async def drain(self) -> None:
        """Waits until nothing waits for the peer to read, and, as Connection.drain(), until the network has taken half.

        Any number of tasks. Errors: SessionClosed.
        """
        self._waiters.check_loop()
        while True:
            with contextlib.suppress(ConnectionClosed):  # the session tells the end
                await self.connection.drain()
            if self._is_drained():
                return
            await self._waiters.wait()

    async def ping(self) -> float:
        """As Connection.ping(): the peer's GNS answers, not its program. Errors: SessionClosed."""
        self._waiters.check_loop()
        try:
            return await self.connection.ping()
        except ConnectionClosed:
            raise self._closed() from None

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "", data: bytes = b"") -> Awaitable[bytes]:
        """Says goodbye, after all that was sent; ``await`` it for what the other application gives its own close().

        code: 1000 to 1899 for a normal end, 2000 to 2899 for a fault. text: up to 1,024 bytes, for people. data: up to
        64 KiB. Messages that come from now on are dropped. After close_timeout without an answer the connection is
        closed, and the data is empty. Where the other end has said goodbye first, code and text are not told: its own
        hold. There is no need to await it: it goes on by itself, once.
        Errors: TypeError, ValueError. Any thread.
        """
        self._begin_close(code, text, data)
        return _Closed(self)

    async def wait_closed(self) -> SessionEnd:
        """Waits until the session has ended, by whomever, and returns why. What had come before can still be read."""
        while (end := self._engine.end) is None:
            await self._waiters.wait()
        return end

    async def wait_established(self) -> None:
        """Waits until both ends know that they have the session. Errors: SessionFailed, SessionClosed."""
        while self._engine.phase is Phase.SETTING_UP:
            await self._waiters.wait()
        if not self._engine.was_established:
            raise self._failed()

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if value is None:
            await self.close()
        elif is_leaving(value, self, asyncio.CancelledError):
            self._begin_close(EndReason.APP_GENERIC, "", b"")
        else:
            self._begin_close(EndReason.INTERNAL_ERROR, "an exception was raised", b"")

    def take_message(self, message: Message) -> None:
        """Sink's, for the inputs."""
        self._count_handled(message)
        super().take_message(message)

    def _count_handled(self, message: Message) -> None:
        _native.handled(self._handle, 1, len(message.data))

    def wake(self) -> None:
        """Sink's: wake the task that receives."""
        self.readers.wake()

    def _begin_close(self, code: int, text: str, data: bytes, *, reason: CloseReason | None = None) -> None:
        if self._loop.is_closed():  # no answer can be waited for
            check_goodbye(code, text, data)
            self.abort(int(code), text)
        else:
            super()._begin_close(code, text, data, reason=reason)

    def _changed(self) -> None:
        if self._loop.is_closed():
            self._tell_watcher()
            return
        if threading.get_ident() != self._thread:
            with contextlib.suppress(RuntimeError):  # the loop was closed just now
                self._loop.call_soon_threadsafe(self._changed)
            return
        self.readers.wake()
        self._waiters.wake()
        self._tell_watcher()
        self._set_timer()
        if self._engine.phase is Phase.ENDED:
            self._loop_mailbox.let_go(self)

    def _set_timer(self) -> None:
        """A timer that is too early does no harm, and is not changed for each message."""
        at = self._engine.next_tick
        if self._timer is not None and (at == inf or at < self._timer_at):
            self._timer.cancel()
            self._timer = None
        if at != inf and self._timer is None:
            # It does not keep a session that the application has dropped.
            self._timer = self._loop.call_later(max(0.0, at - time.monotonic()), _on_timer, weakref.ref(self))
            self._timer_at = at

    def _hold(self) -> None:
        self._loop_mailbox.keep(self)


def _on_timer(reference: weakref.ref[Session]) -> None:
    session = reference()
    if session is not None:
        session._timer = None
        session._tick()


class _Closed:
    """What close() returns: nothing has to wait for it."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def __await__(self) -> Generator[Any, None, bytes]:
        end = yield from self._session.wait_closed().__await__()
        return end.data
