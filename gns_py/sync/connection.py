"""The blocking connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TypeAlias

from .. import _native
from ..endpoint import Endpoint
from ..enums import ConfigScope, ConfigValue, EndReason
from ..errors import ConnectionClosedOK, NotRunningError
from ..events import ConnectionEnd, ConnectionRequest, MessageReceived, SendFailed, StatusChanged
from ..message import Message
from ..runtime import Mailbox
from ..stats import SendQueue
from .deadline import Deadline

# How often a wait looks again while it must not take more messages.
_FULL_SLICE = 0.02


class Connection(Endpoint):
    """One end of a connection, for threads. Iterating over it receives until it is closed normally.

    As a context manager it is closed at the end: with 1000, or, if the block raises, with 2001 INTERNAL_ERROR.
    One thread at a time reads (recv..., poll(), drain(), wait_closed(), iteration), others get ConcurrencyError;
    sending and closing work from any thread, also while one reads.
    """

    def recv(self, timeout: float | None = None) -> bytes:
        """Waits for the next message and returns its data.

        timeout: seconds; None waits without a limit. No message is lost by a timeout or by Ctrl-C.
        Errors: TimeoutError; once all that had arrived has been read, ConnectionClosedOK or ConnectionClosedError;
        ConcurrencyError. Native: ReceiveMessagesOnPollGroup, on the pump's thread.
        """
        return self.recv_message(timeout).data

    def recv_message(self, timeout: float | None = None) -> Message:
        """As recv(), with number, lane, reliability and time of arrival."""
        if not self._inbox or self._polled:
            self._wait_for_message(timeout)
        return self._inbox.popleft()

    def recv_many(self, limit: int | None = None, timeout: float | None = None) -> list[Message]:
        """Waits for a message and returns it with all others that have arrived, at most limit. Errors: as recv()."""
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}: it must be at least 1")
        inbox = self._inbox
        if not inbox or self._polled:
            self._wait_for_message(timeout)
        return [inbox.popleft() for _ in range(min(len(inbox), limit or len(inbox)))]

    def _wait_for_message(self, timeout: float | None) -> None:
        self._set_polled(False)
        self._wait(lambda: self._inbox or self._end is not None, timeout, "no message")
        if not self._inbox:
            raise self._closed()

    def _wait(self, ready: Callable[[], object], timeout: float | None, what: str) -> None:
        deadline = Deadline(timeout)
        while not ready():
            if not self._mailbox.receive(deadline.remaining()) and deadline.is_over():
                raise TimeoutError(f"{what} within {timeout} s")

    def _wait_keeping(self, ready: Callable[[], object], timeout: float | None, what: str) -> None:
        """As _wait(), for calls that keep the messages that arrive: only up to the bounds of the receive queue.

        What exceeds them stays in the core, where the same bounds end the connection.
        """
        deadline = Deadline(timeout)
        full = False
        while not ready():
            full = full or self._keeps_too_much()
            if full and self._native_end() is None:
                remaining = deadline.remaining()
                time.sleep(_FULL_SLICE if remaining is None else min(_FULL_SLICE, remaining))
                received = False
            else:
                received = self._mailbox.receive(deadline.remaining())
            if not received and deadline.is_over():
                raise TimeoutError(f"{what} within {timeout} s")

    def _keeps_too_much(self) -> bool:
        kept = [message.data for message in self._inbox]
        kept += [event.message.data for event in self._mailbox.events if isinstance(event, MessageReceived)]
        if not kept:
            return False
        bounds = []
        for option in (ConfigValue.RECV_QUEUE_MESSAGES, ConfigValue.RECV_QUEUE_BYTES):
            result, bound = _native.get_option(ConfigScope.CONNECTION, self.handle, option)
            if result < 0:  # it has ended: nothing is added any more
                return False
            bounds.append(int(bound))
        return len(kept) >= bounds[0] or sum(map(len, kept)) >= bounds[1]

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
        self._set_polled(True)
        return poll(self._mailbox, timeout, lambda: self._end is not None)

    def drain(self, timeout: float | None = None) -> None:
        """Waits until the send queue is at most half full, so that sending can go on for a while.

        What arrives meanwhile is kept for recv(), within the bounds of the receive queue.
        Errors: TimeoutError, ConnectionClosed, ConcurrencyError.
        """
        queue = self.send_queue()
        self._drained = False
        half = queue.max_bytes // 2, queue.max_segments // 2
        self._check(_native.notify_drained(self.handle, *half))

        def drained() -> bool:
            # The event may have to stay in the core, behind messages for which there is no room here.
            now = _native.send_queue(self.handle)
            if not isinstance(now, SendQueue) or now.bytes > half[0] or now.segments > half[1]:
                return False
            return self._native_end() is None  # else it was emptied by the end

        self._wait_keeping(
            lambda: self._drained or self._end is not None or drained(), timeout, "the send queue did not drain"
        )
        if self._end is not None and not self._drained:
            raise self._closed()

    def wait_closed(self, timeout: float | None = None) -> ConnectionEnd:
        """Waits until the connection has ended, by whomever, and returns why.

        What arrives is kept for recv(), within the bounds of the receive queue. Errors: TimeoutError, ConcurrencyError.
        """
        self._wait_keeping(lambda: self._end is not None, timeout, "the connection did not end")
        assert self._end is not None
        return self._end

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, GeneratorExit | KeyboardInterrupt | SystemExit):
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
    events: list[Event] = list(mailbox.events)
    mailbox.events.clear()
    return events
