"""The internal end of a session of threads, and the waiting for it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from math import inf
from typing import TypeVar

from ..._core.deadline import Deadline
from ..._core.mailbox import Mailbox
from ..._core.runtime import is_forked, is_running
from ..._core.sending import SendingConnection
from ..._core.waiting import SIGNAL_SLICE
from ...errors import ConcurrencyError, GNSError, NotRunningError
from ...message import Message
from .._core.endpoint import EngineMaker
from .._core.newcomer import Newcomer
from .._core.resumable import ResumableEndpoint
from ..errors import session_closed_error
from ..protocol.resuming import Notice
from ..protocol.state import Phase
from .shield import shield
from .ticker import ticker

T = TypeVar("T")
Look = Callable[[Deadline, Callable[[], object]], None]

# How often a thread that waits while another one reads checks its condition again; changes wake it at once.
_LOOK = 0.1
# Times further away than this are left to the ticker: a native wait with a limit costs more than one without.
_LONG = 1.0


class ThreadEndpoint(ResumableEndpoint):
    """The internal end of a session of threads. One thread reads at a time; others can wait meanwhile."""

    readers: int

    def __init__(self, connection: SendingConnection, make_engine: EngineMaker) -> None:
        super().__init__(connection, make_engine)
        self._condition = threading.Condition(self.lock)
        self.readers = 0  # threads that wait for the condition
        self._receiving = threading.Lock()
        self._due = inf  # when to tick
        self._caller = 0  # the thread that calls a callback of the application
        self.look_at_listener: Look | None = None
        """Reads the listener's mailbox, while that one has the session's events."""

    def belong_to(self, session: object) -> None:
        """See SessionEndpoint."""
        super().belong_to(session)
        ticker.add(self)

    def wake_readers(self) -> None:
        """See SessionEndpoint."""
        with self._condition:
            self._condition.notify_all()

    def announce_change(self) -> None:
        """See SessionEndpoint."""
        self._due = self.engine.next_tick
        if self.readers:
            self.wake_readers()
        if self.has_ended:  # no event says so if it had no connection
            with contextlib.suppress(GNSError):
                self.mailbox.wake()
        self.notify_watcher()

    def keep_alive(self) -> None:
        """See SessionEndpoint."""
        ticker.keep_alive(self)

    def count_handled(self, message: Message) -> None:
        """See SessionEndpoint: it does not count any longer once the mailbox has been read."""

    def run(self, function: Callable[..., T], *arguments: object) -> T:
        """See SessionEndpoint."""
        return shield.run(function, *arguments)

    @property
    def is_in_callback(self) -> bool:
        """True in a callback of this session: what it would wait for, its thread would have to read."""
        return self._caller == threading.get_ident()

    @property
    def may_wait(self) -> bool:
        """False in a callback of this session, and in a fork, where the session is the parent's."""
        return not (self.is_in_callback or is_forked())

    def notify(self, notice: Notice) -> None:
        """See SessionEndpoint."""
        self._caller = threading.get_ident()
        try:
            super().notify(notice)
        finally:
            self._caller = 0

    def finish_take(self, message: Message | None, timeout: float | None) -> Message:
        """Do what Inbox.take() leaves to do: send the ACK that is due, or wait for a message.

        Raises:
            TimeoutError: No message arrived in time.
            SessionClosed: The session has ended.
            ConcurrencyError: Another thread is receiving.
        """
        if message is not None and self.inbox.is_ack_due:
            message = self.acknowledge(message)
        return self._wait_for_message(timeout) if message is None else message

    def _wait_for_message(self, timeout: float | None) -> Message:
        if not self._receiving.acquire(blocking=False):
            is_running()  # raises in a forked child, where that thread does not exist
            raise ConcurrencyError("two threads receive from the same session at once")
        try:
            deadline = Deadline(timeout)
            while True:
                if not self.is_established and (end := self.delivered_end()) is not None:
                    raise session_closed_error(end)
                arrived = self.wait(deadline, lambda: len(self.inbox) or self.delivered_end() is not None)
                message = self.take()
                if message is not None:
                    return message
                if not arrived and deadline.is_over() and self.delivered_end() is None:
                    raise TimeoutError(f"no message within {timeout} s")
        finally:
            self._receiving.release()

    def read(self, deadline: Deadline) -> bool:
        """Wait for something to arrive, whatever it is, and return whether it did.

        Raises:
            ConcurrencyError: Another thread is reading.
        """
        try:
            if self.inputs:  # the thread that was to carry them out was interrupted
                self.work()
            mailbox, left = self.mailbox, self._until_tick(deadline)
            if (left is None or left > SIGNAL_SLICE) and mailbox.receive_event(wait=True):
                return True
            return mailbox.receive(self._until_tick(deadline))
        except NotRunningError:
            if self.engine.phase is Phase.DROPPED:
                self.on_stopped()
            if self.engine.end is None:
                raise
            return True
        finally:
            self.tick_if_due()

    def wait(self, deadline: Deadline, ready: Callable[[], object]) -> bool:
        """Wait for a change, by reading or, while another thread reads, until that one brings it, unless it is there.

        Returns:
            True if something was read.

        Raises:
            ConcurrencyError: This is a callback of the session.
        """
        if self.is_in_callback:
            raise ConcurrencyError("a callback cannot wait for its own session")
        if (look := self.look_at_listener) is not None:
            try:
                look(deadline, ready)
            except NotRunningError:
                if self.engine.end is None:
                    raise
            return False
        try:
            return self.read(deadline)
        except ConcurrencyError:
            with self._condition:
                remaining = deadline.remaining()
                self.readers += 1
                try:
                    if not ready():  # the reader may have made it so just before it could know that this one waits
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

    def tick_if_due(self) -> bool:
        """Let the engine do what is due, and return whether anything was."""
        if self._due > time.monotonic():
            return False
        self.tick()
        return True

    # ---- from one connection to the next ----

    def read_alone(self, mailbox: Mailbox) -> None:
        """Read a mailbox of the session's own from now on: it is established."""
        self.mailbox = mailbox
        self.look_at_listener = None

    def bring(self, newcomer: Newcomer) -> None:
        """See ResumableEndpoint."""
        newcomer.endpoint.move_to(self.mailbox, None)
        newcomer.ask_for_mark()

    def keep_going(self) -> bool:
        """Do, on the ticker's thread, what no reader does at present; return whether more will be due."""
        if self.look_at_listener is None:  # else the listen socket does it
            with contextlib.suppress(GNSError):  # stopped
                if not self.mailbox.is_read:
                    self.mailbox.receive_if_idle()
                if self.tick_if_due():
                    self.mailbox.wake()
            if self.engine.phase is Phase.DROPPED:
                if self.mailbox.is_stopped:
                    self.on_stopped()
                self.on_change()  # there may be a thread for another attempt now
        has_ended = self.has_ended
        if has_ended:  # this may have taken the event that was to tell a reader
            with contextlib.suppress(GNSError):
                self.mailbox.wake()
        return not has_ended
