"""The mailbox of an event loop, and what wakes the loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import socket
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Protocol

from .._core.mailbox import Mailbox
from ..errors import ForkedError, NotRunningError
from .waiters import Home, forget

# Seconds between two checks for events, while a loop that cannot watch descriptors ends.
_LAST_EVENTS = 0.005
# Seconds until events that could not be read are tried again.
_PAUSE = 0.1
_log = logging.getLogger("gns_py")
_mailboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopMailbox] = weakref.WeakKeyDictionary()


def loop_mailbox() -> LoopMailbox:
    """Return the running loop's mailbox, which serves the loop while it has connections or listen sockets.

    So put one into it before the loop gets to run again, or call detach_if_idle().
    """
    loop = asyncio.get_running_loop()
    mailbox = attached_mailbox(loop)
    if mailbox is None:
        mailbox = _mailboxes[loop] = LoopMailbox(loop)
    return mailbox


def attached_mailbox(loop: asyncio.AbstractEventLoop) -> LoopMailbox | None:
    """Return the mailbox that serves a loop at present, if any."""
    mailbox = _mailboxes.get(loop)
    return mailbox if mailbox is not None and mailbox.is_attached else None


def loop_mailboxes() -> list[LoopMailbox]:
    """Return the mailboxes of all loops that still exist, attached or not."""
    return list(_mailboxes.values())


class Stoppable(Protocol):
    """Waits for something that does not come any longer once GNS was stopped."""

    def on_stopped(self) -> None:
        """Give up waiting."""


class LoopMailbox(Mailbox):
    """Where the events of all connections and listen sockets of a loop wait. Only the loop reads it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._reader.count_until_handled()
        self.counts_until_handled = True
        self._thread = threading.get_ident()
        self.home = Home(loop)
        # Held only by what it waits for: a task keeps its loop, and _mailboxes keeps this mailbox.
        self._watcher: weakref.ref[asyncio.Task[None]] | None = None
        self._was_watched = False
        self._has_failed = False
        self.is_attached = False  # the system may have no descriptor
        # Only the loop holds it, so that it goes with the loop, whatever is in it.
        kept: set[object] = set()
        self._awaiting: weakref.WeakSet[Stoppable] = weakref.WeakSet()
        self.kept = weakref.ref(kept)
        """The things that it keeps alive: see keep(), and Waiters, which uses this for each message."""
        try:
            # In a context of its own: not in that of the code that happens to be the loop's first to use it.
            contextvars.Context().run(loop.add_reader, self._reader.descriptor(), self._on_readable, kept)
        except NotImplementedError:  # Windows' Proactor loop
            self.is_attached = True  # an eager task begins at once
            make_task = partial(loop.create_task, self._watch(loop, kept), name="gns_py mailbox")
            watcher = contextvars.Context().run(make_task)
            watcher.add_done_callback(self._on_watched)
            forget(watcher)
            self._watcher = weakref.ref(watcher)
        self.is_attached = True

    def keep(self, thing: object) -> None:
        """Keep something alive while the loop is served: a session that closes.

        A loop's tasks are held only by what they wait for.
        """
        kept = self.kept()
        if kept is not None:
            kept.add(thing)

    def let_go(self, thing: object) -> None:
        """Undo keep()."""
        kept = self.kept()
        if kept is not None:
            kept.discard(thing)

    def stay_for(self, thing: Stoppable) -> None:
        """Serve the loop even without connections: this one, a session, may get one."""
        self._awaiting.add(thing)

    def leave(self, thing: Stoppable) -> None:
        """Undo stay_for(). Any thread, any moment."""
        if thing not in self._awaiting:
            return
        self._awaiting.discard(thing)
        loop = self.home.loop
        if loop is None or loop.is_closed():
            self.detach_if_idle()
        else:
            with contextlib.suppress(RuntimeError):  # it was closed just now
                loop.call_soon_threadsafe(self.detach_if_idle)  # not at once: a connection may be about to begin

    def receive_if_idle(self, until: Callable[[], object] | None = None) -> None:
        """Dispatch pending events, unless called re-entrantly or from another thread: the loop will do it then."""
        if self.is_attached and (threading.get_ident() == self._thread or self.home.is_closed):
            super().receive_if_idle(until)
            self.detach_if_idle()

    def remove_acceptor(self, handle: int) -> None:
        """See Mailbox."""
        super().remove_acceptor(handle)
        if threading.get_ident() == self._thread or self.home.is_closed:
            self.detach_if_idle()
        else:
            self.wake()

    def remove_sender(self, handle: int) -> None:
        """See Mailbox."""
        super().remove_sender(handle)
        self.detach_if_idle()

    def forget(self, handle: int) -> None:
        """See Mailbox."""
        if self.home.is_closed:  # no one will read its end
            self.remove(handle)
            self.detach_if_idle()

    def forget_acceptor(self, handle: int) -> None:
        """See Mailbox."""
        super().forget_acceptor(handle)
        if self.home.is_closed:
            self.detach_if_idle()

    def detach_if_idle(self) -> None:
        """Leave the loop if nothing is left to be read."""
        if (
            self.is_attached
            and self._dispatching
            and not (self._receivers or self._acceptors or self._awaiting or self._senders)
        ):
            self.detach()

    def detach(self) -> None:
        """Leave the loop."""
        self.is_attached = False
        loop = self.home.loop
        if loop is not None and not loop.is_closed():
            watcher = self._watcher() if self._watcher is not None else None
            if watcher is not None:
                watcher.cancel()
                return  # it still has its socket
            if not self._was_watched:
                loop.remove_reader(self._reader.descriptor())
        elif self._watcher is not None and (watcher := self._watcher()) is not None:
            watcher.get_coro().close()  # too late to cancel it
        self._reader.destroy()

    def _on_readable(self, kept: object = None) -> None:  # noqa: ARG002 - it is enough that the loop has it
        try:
            if self.receive_event(wait=False):
                return
            self.receive(0.0)
        except (NotRunningError, ForkedError):
            stopped = [*(get() for get in self._acceptors.values()), *self._awaiting, *self._senders.values()]
            self.detach()
            for each in stopped:
                if each is not None:
                    each.on_stopped()
        except Exception:
            _log.exception("events of %r could not be read; trying again", self)
            self._has_failed = True
            self._pause()
        else:
            self.detach_if_idle()

    def _pause(self) -> None:
        """Leave the loop alone for a moment: events that could not be read still wait, and would wake it at once."""
        loop = self.home.loop
        if loop is None or self._watcher is not None or self._was_watched or not self.is_attached:
            return
        loop.remove_reader(self._reader.descriptor())
        loop.call_later(_PAUSE, self._go_on, self.kept())

    def _go_on(self, kept: object) -> None:
        loop = self.home.loop
        if loop is not None and self.is_attached:
            loop.add_reader(self._reader.descriptor(), self._on_readable, kept)
            self._on_readable()

    def _on_taken_over(self) -> None:
        """Do nothing: only the loop itself waits."""

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
                    # The byte that announces more, or a stop of the runtime, is gone: so go on until nothing is left.
                    while self.is_attached and (self._reader.events or self._has_failed):
                        await asyncio.sleep(_PAUSE if self._has_failed else 0)
                        self._has_failed = False
                        self._on_readable()
            finally:  # before the core's socket is closed, the core must let it go
                if self.is_attached:
                    self._reader.descriptor()
                else:
                    self._reader.destroy()

    def _on_watched(self, _: object = None) -> None:
        """Handle the end of the watcher task.

        If the mailbox is still in use, every task was cancelled, as asyncio.run() does on exit. They may wait for
        events until they have ended, so check for events at intervals.
        """
        self._watcher = None
        self._was_watched = True
        loop = self.home.loop
        if self.is_attached and loop is not None:
            self._on_readable()
            loop.call_later(_LAST_EVENTS, self._on_watched)
