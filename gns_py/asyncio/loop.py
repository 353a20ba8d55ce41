"""The mailbox of an event loop, and what wakes the loop."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import weakref
from collections.abc import Callable

from ..errors import ForkedError, NotRunningError
from ..runtime import Mailbox

# Seconds between two looks for events, while a loop that cannot watch descriptors ends.
_LAST_EVENTS = 0.005
# Seconds until what could not be read is tried again.
_PAUSE = 0.1
_log = logging.getLogger("gns_py")
_mailboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopMailbox] = weakref.WeakKeyDictionary()


def loop_mailbox() -> LoopMailbox:
    """The running loop's mailbox. It serves the loop as long as it has connections or listen sockets.

    So put one into it before the loop gets to run again, or settle() it.
    """
    loop = asyncio.get_running_loop()
    mailbox = _mailboxes.get(loop)
    if mailbox is None or not mailbox.is_attached:
        mailbox = _mailboxes[loop] = LoopMailbox(loop)
    return mailbox


class LoopMailbox(Mailbox):
    """Where the events of all connections and listen sockets of a loop wait. The loop reads it, nobody else."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._reader.hold()
        self._thread = threading.get_ident()
        self._loop = weakref.ref(loop)
        self._watcher: asyncio.Task[None] | None = None
        self._was_watched = False
        self.is_attached = True
        # Only the loop holds it, so that it goes with the loop, whatever is in it.
        kept: set[object] = set()
        self._kept = weakref.ref(kept)
        try:
            loop.add_reader(self._reader.descriptor(), self._on_readable, kept)
        except NotImplementedError:  # Windows' Proactor loop
            self._watcher = loop.create_task(self._watch(loop, kept), name="gns_py mailbox")
            self._watcher.add_done_callback(self._on_watched)

    def keep(self, thing: object) -> None:
        """Keep something alive as long as the loop is served: a future that a task waits for, a session that closes.

        The tasks of a loop are held by what they wait for, and by nothing else.
        """
        kept = self._kept()
        if kept is not None:
            kept.add(thing)

    def let_go(self, thing: object) -> None:
        """Undo keep()."""
        kept = self._kept()
        if kept is not None:
            kept.discard(thing)

    def receive_if_idle(self, until: Callable[[], object] | None = None) -> None:
        """Hands out what waits; not in other threads, and not inside of itself: then the loop does."""
        if threading.get_ident() == self._thread and self.is_attached:
            super().receive_if_idle(until)
            self.settle()

    def remove_listener(self, handle: int) -> None:
        """The listener gets no more connections: those that are on their way are the core's to close."""
        super().remove_listener(handle)
        if threading.get_ident() == self._thread:
            self.settle()
        else:
            self.wake()

    def settle(self) -> None:
        """Leaves the loop if nothing is left to be read."""
        if self.is_attached and self._dispatching and not (self._endpoints or self._listeners):
            self._detach()

    def _detach(self) -> None:
        self.is_attached = False
        loop = self._loop()
        if loop is not None and not loop.is_closed():
            if self._watcher is not None:
                self._watcher.cancel()
                return  # it still has its socket
            if not self._was_watched:
                loop.remove_reader(self._reader.descriptor())
        self._reader.destroy()

    def _on_readable(self, kept: object = None) -> None:  # noqa: ARG002 - it is enough that the loop has it
        try:
            self.receive(0.0)
        except (NotRunningError, ForkedError):
            listeners = [get() for get in self._listeners.values()]
            self._detach()
            for listener in listeners:
                if listener is not None:
                    listener._on_closed()
        except Exception:
            _log.exception("events of %r could not be read; trying again", self)
            self._pause()
        else:
            self.settle()

    def _pause(self) -> None:
        """Leave the loop alone for a moment: what could not be read still waits, and would wake it at once."""
        loop = self._loop()
        if loop is None or self._watcher is not None or self._was_watched or not self.is_attached:
            return
        loop.remove_reader(self._reader.descriptor())
        loop.call_later(_PAUSE, self._go_on, self._kept())

    def _go_on(self, kept: object) -> None:
        loop = self._loop()
        if loop is not None and self.is_attached:
            loop.add_reader(self._reader.descriptor(), self._on_readable, kept)
            self._on_readable()

    def _on_taken_over(self) -> None:
        """Nothing to do: nobody waits but the loop itself."""

    async def _watch(self, loop: asyncio.AbstractEventLoop, kept: object) -> None:  # noqa: ARG002 - it has it
        ours, cores = socket.socketpair()
        with ours, cores:
            ours.setblocking(False)
            cores.setblocking(False)
            self._reader.notify(cores.fileno())
            try:
                while self.is_attached:
                    await loop.sock_recv(ours, 1)
                    self._on_readable()
                    # The byte that tells of more, or that the runtime was stopped, is gone: so until nothing is left.
                    while self.is_attached and self._reader.events:
                        await asyncio.sleep(0)
                        self._on_readable()
            finally:  # before the core's socket is closed, the core must let it go
                if self.is_attached:
                    self._reader.descriptor()
                else:
                    self._reader.destroy()

    def _on_watched(self, _: object = None) -> None:
        """Nobody watches any more. If that is too early, somebody has cancelled all tasks, as asyncio.run() does.

        They may still wait for events until they have ended, so those are looked for.
        """
        self._watcher = None  # a task keeps its loop
        self._was_watched = True
        loop = self._loop()
        if self.is_attached and loop is not None:
            self._on_readable()
            loop.call_later(_LAST_EVENTS, self._on_watched)


class Waiters(set["asyncio.Future[None]"]):
    """Tasks of one loop that wait for something to change."""

    __slots__ = ("_mailbox",)

    def __init__(self, mailbox: LoopMailbox | None = None) -> None:
        """mailbox: of what may change, to keep those alive that wait."""
        super().__init__()
        self._mailbox = mailbox

    async def wait(self) -> None:
        """Waits for the next wake()."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.add(future)
        mailbox = self._mailbox
        if mailbox is not None:
            mailbox.keep(future)
        try:
            await future
        finally:
            self.discard(future)
            if mailbox is not None:
                mailbox.let_go(future)

    def wake(self) -> None:
        """Ends all waits. On the loop's thread only."""
        for future in self:
            if not future.done():
                future.set_result(None)
