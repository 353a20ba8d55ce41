"""The connection of threads."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Literal, TypeAlias, overload

from .._core.deadline import NO_LIMIT, Deadline
from .._core.endpoint import Endpoint
from .._core.failures import is_leaving
from .._core.request import ConnectionRequest
from .._core.sending import SendingConnection
from .._core.waiting import SIGNAL_SLICE, take, wait
from .._generated.enums import EndReason
from ..end import ConnectionEnd
from ..errors import ConnectionClosedOK
from ..events import MessageReceived, RouteChanged, SendFailed, StatusChanged
from ..message import Message, MessageView, with_bytes, with_view
from .polling import poll, wait_for_message


class Connection(SendingConnection):
    """One end of a connection, for threads.

    Iterating over it receives until it is closed normally. As a context manager it is closed at the end: with 1000 or,
    if the block raises, with 2001 INTERNAL_ERROR. One thread at a time reads (recv..., poll(), iteration), and others
    get ConcurrencyError; everything else works from any thread, also while one reads.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._inbox = endpoint.inbox

    def recv(self, timeout: float | None = None) -> bytes:
        """Wait for the next message and return its data.

        Neither a timeout nor Ctrl-C loses a message.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: No message arrived in time.
            ConnectionClosedOK: The connection was closed normally, and everything that had arrived has been read.
            ConnectionClosedError: The connection ended in any other way.
            ConcurrencyError: Another thread is reading.

        Note:
            Native function: ``ReceiveMessagesOnPollGroup``, called by the thread that serves GNS.
        """
        deadline = NO_LIMIT if timeout is None else Deadline(timeout)
        endpoint = self._endpoint
        is_plain = endpoint.events is None and endpoint.group is None and endpoint.end is None
        if is_plain and not self._inbox and (timeout is None or timeout >= SIGNAL_SLICE):
            data = endpoint.mailbox.receive_data(endpoint)
            if data is not None:
                return data
        message = self._next(deadline)
        return message.data if type(message) is Message else bytes(message.data)

    @overload
    def recv_message(self, timeout: float | None = None, *, copy: Literal[True] = True) -> Message: ...

    @overload
    def recv_message(self, timeout: float | None = None, *, copy: Literal[False]) -> MessageView: ...

    def recv_message(self, timeout: float | None = None, *, copy: bool = True) -> Message | MessageView:
        """Wait for the next message and return it with its number, lane, reliability and time of arrival.

        Args:
            timeout: See recv().
            copy: False returns the data as a read-only memoryview of the receive buffer. It stays valid, and keeps
                the whole buffer (up to 512 KiB) alive: use it for large messages that are dealt with at once.

        Raises:
            TimeoutError: See recv().
            ConnectionClosed: See recv().
            ConcurrencyError: See recv().
        """
        self._endpoint.takes_views = not copy
        message = self._next(Deadline(timeout))
        return with_bytes(message) if copy else with_view(message)

    def _next(self, deadline: Deadline) -> Message | MessageView:
        inbox = self._inbox
        while True:
            if not inbox or self._endpoint.events is not None:
                wait_for_message(self._endpoint, deadline)
            try:
                message = inbox[0]  # one step, as far as the caller's return
                del inbox[0]
                return message
            except IndexError:  # another thread has closed the connection, or read it, in between
                continue

    def recv_many(self, limit: int | None = None, timeout: float | None = None) -> list[Message]:
        """Wait for a message and return it with all others that have arrived.

        Args:
            limit: How many messages to return at most; None for all.
            timeout: See recv().

        Raises:
            ValueError: ``limit`` is less than 1.
            TimeoutError: See recv().
            ConnectionClosed: See recv().
            ConcurrencyError: See recv().
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        deadline = Deadline(timeout)
        while True:
            if not self._inbox or self._endpoint.events is not None:
                wait_for_message(self._endpoint, deadline)
            messages = take(self._inbox, limit)
            try:
                with_data = [with_bytes(message) for message in messages]
                if with_data:
                    return with_data
            except BaseException:  # a signal handler's
                self._inbox.extendleft(reversed(messages))
                raise

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the data of messages until the connection is closed normally.

        Raises:
            ConnectionClosedError: The connection ended in any other way.
        """
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    def poll(self, timeout: float | None = 0.0) -> list[Event]:
        """Wait for something to happen and return everything that has happened since the last call.

        For loops with a fixed rate. Messages are MessageReceived, changes StatusChanged, the last of which has an
        ``end``. Do not read a polled connection with recv() as well: each message is returned once.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            ConcurrencyError: Another thread is reading.
            InvalidStateError: A poll group reads the connection.

        Note:
            Native function: ``ReceiveMessagesOnPollGroup``, called by the thread that serves GNS.
        """
        endpoint = self._endpoint
        endpoint.check_own_reader()
        endpoint.redirect_events(endpoint.mailbox.events)
        return poll(endpoint.mailbox, timeout, lambda: endpoint.end is not None)

    def drain(self, timeout: float | None = None) -> None:
        """Wait until the send queue is at most half full, and has room for what send() has refused. Any thread.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: The peer did not receive fast enough.
            ConnectionClosed: The connection has ended.
        """
        endpoint = self._endpoint
        mark = endpoint.drain_mark(endpoint.send_queue())
        if not wait(lambda limit: endpoint.wait_drained(limit, *mark), Deadline(timeout).remaining()):
            raise TimeoutError(f"the send queue did not drain within {timeout} s")
        endpoint.forget_refused()

    def ping(self, timeout: float | None = None) -> float:
        """Wait for an answer of the peer's GNS, not of its application, and return the round trip in seconds.

        A packet that is lost is sent again, and the measurement restarts. Any thread. ``stats().ping_ms`` has GNS's own
        smoothed measure, which costs no packet.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: No answer arrived in time.
            ConnectionClosed: The connection has ended.
        """
        answers: list[float] = []
        if not wait(lambda limit: self._endpoint.wait_pong(limit, answers), Deadline(timeout).remaining()):
            raise TimeoutError(f"no answer within {timeout} s")
        return answers[0]

    def close(self, code: int = EndReason.APP_GENERIC, text: str = "", *, linger: bool = True) -> None:
        """Close the connection, and send code and text to the peer. Closing it again does nothing.

        Returns at once. Messages that had arrived and were not read are gone. Any thread.

        Args:
            code: 1000 to 1999 for a normal end, 2000 to 2999 for a fault.
            text: At most 127 bytes of UTF-8, without NUL. If it is empty, GNS sends a sentence of its own,
                "Application closed connection".
            linger: Whether what was sent before is still delivered in the background, for ``timeout_connected`` at
                most; stop() and the interpreter's exit wait for it a few seconds. Otherwise it is discarded, as it
                always is before the connection is established.

        Raises:
            TypeError: ``code`` is not an int, or ``text`` is not a str.
            ValueError: ``code`` is out of range, or ``text`` is too long or cannot be encoded.

        Note:
            Native function: ``CloseConnection``.
        """
        self._endpoint.close(code, text, linger=linger)

    def wait_closed(self, timeout: float | None = None) -> ConnectionEnd:
        """Wait until the connection has ended, whichever end closed it, and return why. Any thread.

        Messages that had arrived can still be read afterwards.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: The connection did not end in time.
        """
        endpoint = self._endpoint
        if endpoint.end is None and not wait(endpoint.wait_ended, Deadline(timeout).remaining()):
            raise TimeoutError(f"the connection did not end within {timeout} s")
        endpoint.mailbox.receive_if_idle(lambda: endpoint.end)  # so that on_status_changed learns of it, too
        return endpoint.end or endpoint.closed_error().end

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if is_leaving(value, self._endpoint):
            self.close()
        else:
            self.close(EndReason.INTERNAL_ERROR, "an exception was raised")


Event: TypeAlias = (
    StatusChanged[Connection]
    | ConnectionRequest[Connection]
    | MessageReceived[Connection]
    | SendFailed[Connection]
    | RouteChanged[Connection]
)
