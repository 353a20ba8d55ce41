"""The internal end of a session of an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref
from math import inf
from typing import cast

from ..._core.sending import SendingConnection
from ...asyncio.mailbox import LoopMailbox
from ...asyncio.waiters import Waiters
from ...message import Message
from .._core.checks import check_goodbye
from .._core.endpoint import EngineMaker
from .._core.newcomer import Newcomer
from .._core.resumable import ResumableEndpoint
from ..protocol.reasons import CloseReason


class LoopEndpoint(ResumableEndpoint):
    """The internal end of a session of an event loop."""

    readers: Waiters

    def __init__(self, connection: SendingConnection, make_engine: EngineMaker) -> None:
        super().__init__(connection, make_engine)
        self._loop = asyncio.get_running_loop()
        self._mailbox = cast("LoopMailbox", self.endpoint.mailbox)
        self._thread = threading.get_ident()
        self.readers = Waiters(self._mailbox.home, "session", self._mailbox)
        self.watchers = Waiters(self._mailbox.home, "session", self._mailbox)
        """Tasks that wait for a change."""
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0

    def wake_readers(self) -> None:
        """See SessionEndpoint."""
        self.readers.wake()

    def count_handled(self, message: Message) -> None:
        """See SessionEndpoint."""
        self.endpoint.count_handled(1, len(message.data))

    def keep_alive(self) -> None:
        """See SessionEndpoint."""
        self._mailbox.keep(self)

    def bring(self, newcomer: Newcomer) -> None:
        """See ResumableEndpoint: all connections of a loop are in the same mailbox."""
        newcomer.ask_for_mark()

    def stay_reachable(self, is_waiting: bool) -> None:
        """See ResumableEndpoint."""
        if is_waiting:
            self._mailbox.stay_for(self)
        else:
            self._mailbox.leave(self)

    def abandon(self) -> None:
        """See SessionEndpoint."""
        super().abandon()
        self._mailbox.leave(self)

    def begin_close(self, code: int, text: str, data: bytes, *, reason: CloseReason | None = None) -> None:
        """See SessionEndpoint."""
        if self._loop.is_closed():  # no answer can be waited for
            check_goodbye(code, text, data)
            self.abort(int(code), text)
        else:
            super().begin_close(code, text, data, reason=reason)

    def announce_change(self) -> None:
        """See SessionEndpoint."""
        if self._loop.is_closed():
            self.notify_watcher()
            return
        if threading.get_ident() != self._thread:
            with contextlib.suppress(RuntimeError):  # the loop was closed just now
                self._loop.call_soon_threadsafe(self.announce_change)
            return
        self.readers.wake()
        self.watchers.wake()
        self.notify_watcher()
        self._set_timer()
        if self.has_ended:
            self._mailbox.let_go(self)

    def _set_timer(self) -> None:
        """Set the timer. One that is too early does no harm, and is not changed for each message."""
        at = self.engine.next_tick
        if self._timer is not None and (at == inf or at < self._timer_at):
            self._timer.cancel()
            self._timer = None
        if at != inf and self._timer is None:
            # It does not keep a session that the application has dropped.
            self._timer = self._loop.call_later(max(0.0, at - time.monotonic()), _on_timer, weakref.ref(self))
            self._timer_at = at

    def on_timer(self) -> None:
        """Let the engine do what is due."""
        self._timer = None
        self.tick()


def _on_timer(reference: weakref.ref[LoopEndpoint]) -> None:
    endpoint = reference()
    if endpoint is not None:
        endpoint.on_timer()
