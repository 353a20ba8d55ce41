"""The session of threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Literal, overload

from ..._core.deadline import Deadline
from ..._core.failures import is_leaving
from ..._generated.enums import EndReason
from ...errors import ConnectionClosed
from ...message import Message, MessageView, with_view
from ..errors import SessionClosed, SessionClosedOK
from ..protocol.reasons import SessionEnd
from ..protocol.state import Phase
from .committing import CommittingSession


class Session(CommittingSession):
    """One end of a session, for threads.

    Iterating over it receives until it is closed normally. As a context manager it is closed at the end, and the
    peer's answer waited for: with 1000; if the block raises, it is closed in the background, with 2001 INTERNAL_ERROR.
    One thread at a time reads, and others get ConcurrencyError; everything else works from any thread, also while one
    reads. While no thread reads, a thread of gns_py's own answers pings and keeps the time limits.
    """

    def recv(self, timeout: float | None = None) -> bytes:
        """Wait for the next message and return its data, which then counts as handled.

        Neither a timeout nor Ctrl-C loses a message.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: No message arrived in time.
            SessionClosedOK: The session was closed normally, and all messages before the end have been taken.
            SessionClosedError: The session ended in any other way.
            ConcurrencyError: Another thread is receiving.
        """
        inbox = self._inbox
        message = inbox.take()
        if message is None or inbox.acks_due != inbox.acks_sent:
            message = self._internal.finish_take(message, timeout)
        return message.data

    @overload
    def recv_message(self, timeout: float | None = None, *, copy: Literal[True] = True) -> Message: ...

    @overload
    def recv_message(self, timeout: float | None = None, *, copy: Literal[False]) -> MessageView: ...

    def recv_message(self, timeout: float | None = None, *, copy: bool = True) -> Message | MessageView:
        """Wait for the next message and return it with its number, lane, reliability and time of arrival.

        The number of a reliable message is the session's number on its lane, that of others GNS's.

        Args:
            timeout: See recv().
            copy: False returns the data as a read-only memoryview, for code that takes those of connections; a session
                copies in any case.

        Raises:
            TimeoutError: See recv().
            SessionClosed: See recv().
            ConcurrencyError: See recv().
        """
        message = self._internal.finish_take(self._inbox.take(), timeout)
        return message if copy else with_view(message)

    def recv_many(self, limit: int | None = None, timeout: float | None = None) -> list[Message]:
        """Wait for a message and return it with all others that have arrived.

        Args:
            limit: How many messages to return at most; None for all.
            timeout: See recv().

        Raises:
            ValueError: ``limit`` is less than 1.
            TimeoutError: See recv().
            SessionClosed: See recv().
            ConcurrencyError: See recv().
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        messages = [self._internal.finish_take(self._inbox.take(), timeout)]
        try:
            while len(messages) != limit and (message := self._internal.take()) is not None:
                messages += (message,)  # one step: see waiting.py
            return messages
        except BaseException:  # a signal handler's
            for message in reversed(messages):
                self._inbox.put_back(message)
            raise

    def poll(self, timeout: float = 0.0) -> list[Message]:
        """Wait for something to arrive and return all messages: for loops with a fixed rate.

        Returns nothing once the session has ended: ``end`` says why.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            ConcurrencyError: Another thread is receiving.
        """
        try:
            return self.recv_many(timeout=timeout)
        except (TimeoutError, SessionClosed):
            return []

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the data of messages until the session is closed normally.

        Raises:
            SessionClosedError: The session ended in any other way.
        """
        try:
            while True:
                yield self.recv()
        except SessionClosedOK:
            return

    def drain(self, timeout: float | None = None) -> None:
        """Wait until no message waits for the peer to read, and Connection.drain() has nothing to wait for. Any thread.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: The peer did not read fast enough.
            SessionClosed: The session has ended.
        """
        session = self._internal
        deadline = Deadline(timeout)
        while True:
            with contextlib.suppress(ConnectionClosed):  # the session says why
                self.connection.drain(deadline.remaining())
            if session.is_drained():
                return
            if deadline.is_over():
                raise TimeoutError(f"the send queue did not drain within {timeout} s")
            session.wait(deadline, session.is_drained)

    def ping(self, timeout: float | None = None) -> float:
        """Wait for an answer of the peer's GNS, not of its program, through outages. See Connection.ping().

        Args:
            timeout: See drain().

        Raises:
            TimeoutError: No answer arrived in time.
            SessionClosed: The session has ended.
        """
        deadline = Deadline(timeout)
        while True:
            with contextlib.suppress(ConnectionClosed):
                return self.connection.ping(deadline.remaining())
            self.wait_resumed(deadline.remaining())

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "", data: bytes = b"") -> bytes:
        """Say goodbye, after everything that was sent, and return the data of the peer's own goodbye. Any thread.

        Messages that arrive from now on are dropped. If the peer does not answer within ``close_timeout``, the
        connection is closed, and the result is empty. If the peer has said goodbye first, its code and text hold, and
        these are not sent. Closing it again returns the same data. Within its callbacks it does not wait.

        Args:
            code: 1000 to 1899 for a normal end, 2000 to 2899 for a fault.
            text: For people, up to 1,024 bytes.
            data: For the peer's application, up to 64 KiB.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: ``code`` is out of range, or ``text`` or ``data`` is too long.
        """
        self._internal.begin_close(code, text, data)
        return self.wait_closed().data if self._internal.may_wait else b""

    def wait_closed(self, timeout: float | None = None) -> SessionEnd:
        """Wait until the session has ended, whichever end closed it, and return why. Any thread.

        Messages that had arrived can still be read afterwards.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: The session did not end in time.
        """
        engine, deadline = self._internal.engine, Deadline(timeout)
        while (end := engine.end) is None:
            if deadline.is_over():
                raise TimeoutError(f"the session did not end within {timeout} s")
            self._internal.wait(deadline, lambda: engine.end is not None)
        return end

    def wait_established(self, timeout: float | None = None) -> None:
        """Wait until both ends know that they have the session.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            SessionFailed: The session was not established.
            TimeoutError: It was not established in time.
        """
        engine, deadline = self._internal.engine, Deadline(timeout)
        while engine.phase is Phase.SETTING_UP:
            if deadline.is_over():
                raise TimeoutError(f"the session was not established within {timeout} s")
            self._internal.wait(deadline, lambda: engine.phase is not Phase.SETTING_UP)
        if not engine.was_established:
            raise self._internal.failed_error()

    def wait_resumed(self, timeout: float | None = None) -> None:
        """Wait until the session has a connection, if it has lost it. Any thread.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            SessionClosed: The session has ended.
            TimeoutError: It has no connection in time.
        """
        session, deadline = self._internal, Deadline(timeout)
        while not session.has_connection:
            if session.has_ended:
                raise session.closed_error()
            if deadline.is_over():
                raise TimeoutError(f"the session was not resumed within {timeout} s")
            session.wait(deadline, lambda: session.has_connection or session.has_ended)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if value is None:
            self.close()
        elif is_leaving(value, self._internal):
            self._internal.begin_close(EndReason.APP_GENERIC, "", b"")
        else:
            self._internal.begin_close(EndReason.INTERNAL_ERROR, "an exception was raised", b"")
