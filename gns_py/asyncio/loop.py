"""The mailbox of an event loop, and what wakes the loop."""

from __future__ import annotations

import asyncio
import socket
import threading
import weakref
from collections.abc import Callable

from ..errors import ForkedError, NotRunningError
from ..runtime import Mailbox

# Seconds between two looks for events, while a loop that cannot watch descriptors ends.
_LAST_EVENTS = 0.005
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
        try:
            loop.add_reader(self._reader.descriptor(), self._on_readable)
        except NotImplementedError:  # Windows' Proactor loop
            self._watcher = loop.create_task(self._watch(loop), name="gns_py mailbox")
            self._watcher.add_done_callback(self._on_watched)

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
        if self.is_attached and not (self._endpoints or self._listeners or self._dispatching.locked()):
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

    def _on_readable(self) -> None:
        try:
            self.receive(0.0)
        except (NotRunningError, ForkedError):
            listeners = [get() for get in self._listeners.values()]
            self._detach()
            for listener in listeners:
                if listener is not None:
                    listener._on_closed()
        else:
            self.settle()

    def _on_taken_over(self) -> None:
        """Nothing to do: nobody waits but the loop itself."""

    async def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
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

    __slots__ = ()

    async def wait(self) -> None:
        """Waits for the next wake()."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.add(future)
        try:
            await future
        finally:
            self.discard(future)

    def wake(self) -> None:
        """Ends all waits. On the loop's thread only."""
        for future in self:
            if not future.done():
                future.set_result(None)
