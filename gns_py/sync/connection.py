"""The blocking connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Literal, TypeAlias, overload

from .. import _native
from .._core.deadline import Deadline
from .._core.endpoint import Endpoint
from .._core.failures import is_leaving
from .._core.runtime import Mailbox, take, wait
from .._generated.enums import EndReason
from ..errors import ConnectionClosedOK, NotRunningError
from ..events import ConnectionEnd, ConnectionRequest, MessageReceived, SendFailed, StatusChanged
from ..message import Message, MessageView, with_bytes, with_view


class Connection(Endpoint):
    """One end of a connection, for threads. Iterating over it receives until it is closed normally.

    As a context manager it is closed at the end: with 1000, or, if the block raises, with 2001 INTERNAL_ERROR.
    One thread at a time reads (recv..., poll(), iteration), others get ConcurrencyError; all the rest works from any
    thread, also while one reads.
    """

    def recv(self, timeout: float | None = None) -> bytes:
        """Waits for the next message and returns its data.

        timeout: seconds; None waits without a limit. No message is lost by a timeout or by Ctrl-C.
        Errors: TimeoutError; once all that had arrived has been read, ConnectionClosedOK or ConnectionClosedError;
        ConcurrencyError. Native: ReceiveMessagesOnPollGroup, on the pump's thread.
        """
        message = self._next(timeout)
        return message.data if type(message) is Message else bytes(message.data)

    @overload
    def recv_message(self, timeout: float | None = None, *, copy: Literal[True] = True) -> Message: ...

    @overload
    def recv_message(self, timeout: float | None = None, *, copy: Literal[False]) -> MessageView: ...

    def recv_message(self, timeout: float | None = None, *, copy: bool = True) -> Message | MessageView:
        """As recv(), with number, lane, reliability and time of arrival.

        copy: False hands the data out as a read-only memoryview of the buffer that it was received into. It stays
        valid, and keeps the whole buffer (up to 512 KiB) alive: for large messages that are dealt with at once.
        """
        self._views = not copy
        message = self._next(timeout)
        return with_bytes(message) if copy else with_view(message)

    def _next(self, timeout: float | None) -> Message | MessageView:
        inbox = self._inbox
        while True:
            if not inbox or self._events is not None:
                self._wait_for_message(timeout)
            try:
                message = inbox[0]  # one step, as far as the caller's return
                del inbox[0]
                return message
            except IndexError:  # another thread has closed it, or read it, in between
                continue

    def recv_many(self, limit: int | None = None, timeout: float | None = None) -> list[Message]:
        """Waits for a message and returns it with all others that have arrived, at most limit. Errors: as recv()."""
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        while True:
            if not self._inbox or self._events is not None:
                self._wait_for_message(timeout)
            messages = take(self._inbox, limit)
            try:
                with_data = [with_bytes(message) for message in messages]
                if with_data:
                    return with_data
            except BaseException:  # a signal's
                self._inbox.extendleft(reversed(messages))
                raise

    def _wait_for_message(self, timeout: float | None) -> None:
        self._check_own_reader()
        self._collect(None)
        self._wait(lambda: self._inbox or self._end is not None, timeout, "no message")
        if self._end is not None and not self._inbox:  # in this order: the last message comes before the end
            self._mailbox.receive_if_idle()  # another thread may have closed it: callbacks are to hear of the end, too
            raise self._closed()

    def _wait(self, ready: Callable[[], object], timeout: float | None, what: str) -> None:
        deadline = Deadline(timeout)
        while not ready():
            if not self._mailbox.receive(deadline.remaining()) and deadline.is_over():
                raise TimeoutError(f"{what} within {timeout} s")

    def __iter__(self) -> Iterator[bytes]:
        """The messages' data, until the connection is closed normally; ConnectionClosedError if it ends otherwise."""
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    def poll(self, timeout: float | None = 0.0) -> list[Event]:
        """What has happened since the last poll(), after waiting up to timeout seconds (None: no limit) for something.

        For loops with a fixed rate: messages come as MessageReceived, changes as StatusChanged, the last of which has
        an ``end``. A connection that is polled is not read with recv() at the same time: each message comes out once.
        Errors: ConcurrencyError.
        """
        self._check_own_reader()
        self._collect(self._mailbox.events)
        return poll(self._mailbox, timeout, lambda: self._end is not None)

    def drain(self, timeout: float | None = None) -> None:
        """Waits until the send queue is at most half full, and has room for what send() has refused. Any thread.

        Errors: TimeoutError, ConnectionClosed.
        """
        max_bytes, max_segments = self._drain_bound(self.send_queue())
        result = wait(
            lambda limit: _native.wait_drained(self.handle, limit, max_bytes, max_segments),
            Deadline(timeout).remaining(),
        )
        self._check(result)
        if not result:
            raise TimeoutError(f"the send queue did not drain within {timeout} s")
        self._refused = 0

    def ping(self, timeout: float | None = None) -> float:
        """Waits for an answer of the peer's GNS, not of its application, and returns the round trip in seconds.

        What is lost on the way is sent again, and measured anew. Any thread. ``stats().ping_ms`` has GNS's own smoothed
        measure, which costs no packet. Errors: TimeoutError, ConnectionClosed.
        """
        round_trip_us = _native.new_int64()
        result = wait(lambda limit: _native.wait_pong(self.handle, limit, round_trip_us), Deadline(timeout).remaining())
        self._check(result)
        if not result:
            raise TimeoutError(f"no answer within {timeout} s")
        return float(round_trip_us[0] / 1e6)

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "", *, linger: bool = True) -> None:
        """Closes the connection; the peer is told code and text. At once, and once: closing again does nothing.

        code: 1000 to 1999 for a normal end, 2000 to 2999 for a fault. text: at most 127 bytes of UTF-8, without NUL;
        where it is empty, GNS tells the peer a sentence of its own, "Application closed connection".
        linger: what was sent before is still delivered in the background, for timeout_connected at most (stop() and the
        interpreter's exit wait for it a few seconds); otherwise it is discarded, as it is before the connection is
        established. What had arrived and was not read is gone.
        Errors: TypeError, ValueError. Any thread. Native: CloseConnection.
        """
        self._close(code, text, linger=linger)

    def wait_closed(self, timeout: float | None = None) -> ConnectionEnd:
        """Waits until the connection has ended, by whomever, and returns why. Any thread.

        What had arrived can still be read after it. Errors: TimeoutError.
        """
        result = 0 if self._end is None else 1
        result = result or wait(lambda limit: _native.wait_ended(self.handle, limit), Deadline(timeout).remaining())
        if result == _native.FORKED:
            self._raise(result)
        if not result:
            raise TimeoutError(f"the connection did not end within {timeout} s")
        self._mailbox.receive_if_idle(lambda: self._end)  # so that on_status_changed hears of it, too
        return self._end or self._closed().end

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if is_leaving(value, self):
            self.close()
        else:
            self.close(EndReason.INTERNAL_ERROR, "an exception was raised")


Event: TypeAlias = (
    StatusChanged[Connection] | ConnectionRequest[Connection] | MessageReceived[Connection] | SendFailed[Connection]
)


def poll(mailbox: Mailbox, timeout: float | None, is_over: Callable[[], bool]) -> list[Event]:
    """The events for poll(), after waiting for the first one; not if it is over, since nothing can come then."""
    deadline = Deadline(0.0 if is_over() else timeout)
    try:
        mailbox.receive(0.0 if mailbox.events else deadline.remaining())
        while not mailbox.events and not deadline.is_over() and not is_over():
            mailbox.receive(deadline.remaining())
    except NotRunningError:
        if not mailbox.events and not is_over():
            raise
    return take(mailbox.events)
