"""The blocking session."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from math import inf
from types import TracebackType
from typing import Literal, TypeVar, overload

from ..._core.deadline import Deadline
from ..._core.failures import is_leaving
from ..._generated.enums import EndReason
from ...errors import ConcurrencyError, ConnectionClosed, GNSError, NotRunningError
from ...message import Message, MessageView, with_view
from ...sync import Connection
from .._core.session import BaseSession
from ..errors import SessionClosed, SessionClosedOK, session_closed_error
from ..protocol.engine import Engine, Phase
from ..protocol.reasons import SessionEnd
from ..protocol.transport import Transport
from .shield import shield
from .ticker import keeper

T = TypeVar("T")

# Who waits while another thread reads looks this often for what needs no reading; changes wake it at once.
_LOOK = 0.1
# Who reads leaves times so far away to the keeper: a native wait with a limit costs more than one without.
_LONG = 1.0


class Session(BaseSession[Connection]):
    """One end of a session, for threads. Iterating over it receives until it is closed normally.

    As a context manager it is closed at the end, and the other end's answer waited for: with 1000; if the block raises,
    it is closed in the background, with 2001, INTERNAL_ERROR.
    One thread at a time reads, others get ConcurrencyError; all the rest works from any thread, also while one reads.
    A thread of the package's own answers pings, and keeps the time limits, while nobody reads.
    """

    def __init__(self, connection: Connection, make_engine: Callable[[Transport], Engine]) -> None:
        super().__init__(connection, make_engine)
        self._condition = threading.Condition(self._lock)
        self.readers = 0  # threads that wait for the condition
        self._receiving = threading.Lock()
        self._due = inf  # when to tick
        self._listener_look: Callable[[Deadline, Callable[[], object]], None] | None = (
            None  # until it is read on its own
        )
        connection._attach(self)
        self._changed()
        keeper.add(self)

    def recv(self, timeout: float | None = None) -> bytes:
        """Waits for the next message and returns its data, which counts as handled with that.

        timeout: seconds; None waits without a limit. No message is lost by a timeout or by Ctrl-C.
        Errors: TimeoutError; once all messages before the end have been taken, SessionClosedOK or SessionClosedError;
        ConcurrencyError.
        """
        inbox = self._inbox
        message = inbox.take()
        if message is None or inbox.acks_due != inbox.acks_sent:
            message = self._settle(message, timeout)
        return message.data

    @overload
    def recv_message(self, timeout: float | None = None, *, copy: Literal[True] = True) -> Message: ...

    @overload
    def recv_message(self, timeout: float | None = None, *, copy: Literal[False]) -> MessageView: ...

    def recv_message(self, timeout: float | None = None, *, copy: bool = True) -> Message | MessageView:
        """As recv(), with number, lane, reliability and time of arrival.

        number: of a reliable message the session's number on its lane, of others GNS's. copy: False hands the data out
        as a read-only memoryview, for code that takes those of connections; a session copies in any case.
        """
        message = self._settle(self._inbox.take(), timeout)
        return message if copy else with_view(message)

    def _settle(self, message: Message | None, timeout: float | None) -> Message:
        """What Inbox.take() leaves to do."""
        if message is not None and self._inbox.is_ack_due:
            message = self._acknowledge(message)
        return self._wait_for_message(timeout) if message is None else message

    def _wait_for_message(self, timeout: float | None) -> Message:
        if not self._receiving.acquire(blocking=False):
            raise ConcurrencyError("two threads receive from the same session at once")
        try:
            deadline = Deadline(timeout)
            while True:
                if self._engine.phase is not Phase.ESTABLISHED and (end := self.end) is not None:
                    raise session_closed_error(end)
                has_come = self._wait(deadline, lambda: len(self._inbox) or self.end is not None)
                message = self._take()
                if message is not None:
                    return message
                if not has_come and deadline.is_over() and self.end is None:
                    raise TimeoutError(f"no message within {timeout} s")
        finally:
            self._receiving.release()

    def recv_many(self, limit: int | None = None, timeout: float | None = None) -> list[Message]:
        """Waits for a message and returns it with all others that have arrived, at most limit. Errors: as recv()."""
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        messages = [self._settle(self._inbox.take(), timeout)]
        try:
            while len(messages) != limit and (message := self._take()) is not None:
                messages += (message,)  # one step: see runtime.py
            return messages
        except BaseException:  # a signal's
            for message in reversed(messages):
                self._inbox.put_back(message)
            raise

    def poll(self, timeout: float = 0.0) -> list[Message]:
        """What has come, after waiting up to timeout seconds for something: for loops with a fixed rate.

        Nothing, once it has ended: ``end`` tells why. Errors: ConcurrencyError.
        """
        try:
            return self.recv_many(timeout=timeout)
        except (TimeoutError, SessionClosed):
            return []

    def __iter__(self) -> Iterator[bytes]:
        """The messages' data, until the session is closed normally; SessionClosedError if it ends otherwise."""
        try:
            while True:
                yield self.recv()
        except SessionClosedOK:
            return

    def drain(self, timeout: float | None = None) -> None:
        """Waits until nothing waits for the peer to read, and, as Connection.drain(), until the network has taken half.

        Any thread. Errors: TimeoutError, SessionClosed.
        """
        deadline = Deadline(timeout)
        while True:
            with contextlib.suppress(ConnectionClosed):  # the session tells the end
                self.connection.drain(deadline.remaining())
            if self._is_drained():
                return
            if deadline.is_over():
                raise TimeoutError(f"the send queue did not drain within {timeout} s")
            self._wait(deadline, self._is_drained)

    def ping(self, timeout: float | None = None) -> float:
        """As Connection.ping(): the peer's GNS answers, not its program. Errors: TimeoutError, SessionClosed."""
        try:
            return self.connection.ping(timeout)
        except ConnectionClosed:
            self._read(Deadline(0.0))
            raise self._closed() from None

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "", data: bytes = b"") -> bytes:
        """Says goodbye, after all that was sent, and returns what the other application gives its own close().

        code: 1000 to 1899 for a normal end, 2000 to 2899 for a fault. text: up to 1,024 bytes, for people. data: up to
        64 KiB. Messages that come from now on are dropped. After close_timeout without an answer the connection is
        closed, and the result is empty. Where the other end has said goodbye first, code and text are not told: its own
        hold. Closing again returns the same.
        Errors: TypeError, ValueError. Any thread.
        """
        self._begin_close(code, text, data)
        return self.wait_closed().data

    def wait_closed(self, timeout: float | None = None) -> SessionEnd:
        """Waits until the session has ended, by whomever, and returns why. What had come before can still be read.

        Any thread. Errors: TimeoutError.
        """
        deadline = Deadline(timeout)
        while (end := self._engine.end) is None:
            if deadline.is_over():
                raise TimeoutError(f"the session did not end within {timeout} s")
            self._wait(deadline, lambda: self._engine.end is not None)
        return end

    def wait_established(self, timeout: float | None = None) -> None:
        """Waits until both ends know that they have the session. Errors: SessionFailed, TimeoutError."""
        deadline = Deadline(timeout)
        while self._engine.phase is Phase.SETTING_UP:
            if deadline.is_over():
                raise TimeoutError(f"the session was not established within {timeout} s")
            self._wait(deadline, lambda: self._engine.phase is not Phase.SETTING_UP)
        if not self._engine.was_established:
            raise self._failed()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if value is None:
            self.close()
            return
        if is_leaving(value, self):
            self._begin_close(EndReason.APP_GENERIC, "", b"")
        else:
            self._begin_close(EndReason.INTERNAL_ERROR, "an exception was raised", b"")

    def _read(self, deadline: Deadline) -> bool:
        """Waits for something to come in, whatever it is. Errors: ConcurrencyError."""
        try:
            if self.inputs:  # whoever was to carry them out was interrupted
                self.work()
            return self.connection._mailbox.receive(self._until_tick(deadline))
        except NotRunningError:
            if self._engine.end is None:
                raise
            return True
        finally:
            self._tick_if_due()

    def _wait(self, deadline: Deadline, ready: Callable[[], object]) -> bool:
        """Waits for a change, by reading or, if another thread reads, beside it, unless it is ready.

        False if nothing was read.
        """
        if (look := self._listener_look) is not None:  # what comes for it comes to the listen socket
            try:
                look(deadline, ready)
            except NotRunningError:
                if self._engine.end is None:
                    raise
            return False
        try:
            return self._read(deadline)
        except ConcurrencyError:
            with self._condition:
                remaining = deadline.remaining()
                self.readers += 1
                try:
                    if not ready():  # who reads may have done it just before it could know that somebody waits
                        self._condition.wait(_LOOK if remaining is None else min(remaining, _LOOK))
                finally:
                    self.readers -= 1
            return False

    def _until_tick(self, deadline: Deadline) -> float | None:
        remaining = deadline.remaining()
        left = self._due - time.monotonic()
        if left > _LONG:
            return remaining
        return max(0.0, left) if remaining is None else min(max(0.0, left), remaining)

    def _tick_if_due(self) -> bool:
        if self._due > time.monotonic():
            return False
        self._tick()
        return True

    def _keep(self) -> bool:
        """What the keeper does; whether there is more to come."""
        mailbox = self.connection._mailbox
        if self._listener_look is None:  # else it is the listen socket's to do
            if not mailbox.is_read:
                mailbox.receive_if_idle()
            if self._tick_if_due():
                with contextlib.suppress(GNSError):  # stopped
                    mailbox.wake()
        return self._engine.phase is not Phase.ENDED

    def _hold(self) -> None:
        keeper.hold(self)

    def _run(self, function: Callable[..., T], *arguments: object) -> T:
        return shield.run(function, *arguments)

    def _changed(self) -> None:
        self._due = self._engine.next_tick
        if self.readers:
            self.wake()
        self._tell_watcher()

    def wake(self) -> None:
        """Sink's: wake the threads that wait."""
        with self._condition:
            self._condition.notify_all()
