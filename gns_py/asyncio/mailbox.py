"""The mailbox of an event loop, and what wakes the loop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import socket
import threading
import weakref
from collections.abc import Callable
from functools import partial

from .._core.runtime import Mailbox
from ..errors import ForkedError, NotRunningError

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


class Home:
    """The event loop, and its thread, that something belongs to: made there."""

    __slots__ = ("_loop", "_thread")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._thread = threading.current_thread().name

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """None once it is gone."""
        return self._loop()

    @property
    def is_closed(self) -> bool:
        """Whether the loop is closed, or gone: nobody waits there any more, and nothing is called later."""
        loop = self._loop()
        return loop is None or loop.is_closed()

    def check(self, what: str) -> None:
        """Whether its loop is the one that runs. Errors: RuntimeError, which names both."""
        running = asyncio.get_running_loop()
        if running is not self._loop():
            self.check_is(Home(running), what)

    def check_is(self, other: Home, what: str) -> None:
        """Whether its loop is the other one's. Errors: RuntimeError, which names both."""
        if self._loop() is not other._loop():
            raise RuntimeError(f"the {what} belongs to {self}, and cannot be used in {other}")

    def __str__(self) -> str:
        loop = self._loop()
        if loop is None:
            return f"an event loop of thread {self._thread!r} that is gone"
        state = "closed " if loop.is_closed() else ""
        return f"the {state}{type(loop).__name__} at {id(loop):#x} of thread {self._thread!r}"


class LoopMailbox(Mailbox):
    """Where the events of all connections and listen sockets of a loop wait. The loop reads it, nobody else."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._reader.hold()
        self._thread = threading.get_ident()
        self.home = Home(loop)
        # Only what it waits for holds it: a task keeps its loop, and _mailboxes keeps this one.
        self._watcher: weakref.ref[asyncio.Task[None]] | None = None
        self._was_watched = False
        self.is_attached = False  # the system may have no descriptor
        # Only the loop holds it, so that it goes with the loop, whatever is in it.
        kept: set[object] = set()
        self._kept = weakref.ref(kept)
        try:
            # In a context of its own: not in that of whoever happens to be the loop's first to use it.
            contextvars.Context().run(loop.add_reader, self._reader.descriptor(), self._on_readable, kept)
        except NotImplementedError:  # Windows' Proactor loop
            make_task = partial(loop.create_task, self._watch(loop, kept), name="gns_py mailbox")
            watcher = contextvars.Context().run(make_task)
            watcher.add_done_callback(self._on_watched)
            forget(watcher)
            self._watcher = weakref.ref(watcher)
        self.is_attached = True

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
        """Hands out what waits; not inside of itself, and not in other threads, while the loop is there to do it."""
        if self.is_attached and (threading.get_ident() == self._thread or self.home.is_closed):
            super().receive_if_idle(until)
            self.settle()

    def remove_listener(self, handle: int) -> None:
        """The listener gets no more connections: those that are on their way are the core's to close."""
        super().remove_listener(handle)
        if threading.get_ident() == self._thread or self.home.is_closed:
            self.settle()
        else:
            self.wake()

    def forget(self, handle: int) -> None:
        """The endpoint is gone, and nobody has closed it: at any moment, in any thread."""
        if self.home.is_closed:  # nobody will read of its end
            self.remove(handle)
            self.settle()

    def forget_listener(self, handle: int) -> None:
        """remove_listener() for a listener that nobody has closed: at any moment, in any thread."""
        super().forget_listener(handle)
        if self.home.is_closed:
            self.settle()

    def settle(self) -> None:
        """Leaves the loop if nothing is left to be read."""
        if self.is_attached and self._dispatching and not (self._endpoints or self._listeners):
            self._detach()

    def _detach(self) -> None:
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
            watcher.get_coro().close()  # it cannot be cancelled any more
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
        loop = self.home.loop
        if loop is None or self._watcher is not None or self._was_watched or not self.is_attached:
            return
        loop.remove_reader(self._reader.descriptor())
        loop.call_later(_PAUSE, self._go_on, self._kept())

    def _go_on(self, kept: object) -> None:
        loop = self.home.loop
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
        self._watcher = None
        self._was_watched = True
        loop = self.home.loop
        if self.is_attached and loop is not None:
            self._on_readable()
            loop.call_later(_LAST_EVENTS, self._on_watched)


def forget(task: asyncio.Task[None]) -> None:
    """If its loop is closed, a task of our own in it never ends: nobody needs to be told when it is collected."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]


class Waiters(set["asyncio.Future[None]"]):
    """Tasks of one loop that wait for something to change."""

    __slots__ = ("_mailbox", "_what", "home")

    def __init__(self, home: Home, what: str, mailbox: LoopMailbox | None = None) -> None:
        """home: the loop. what: they wait for. mailbox: of what may change, to keep those alive that wait."""
        super().__init__()
        self.home = home
        self._what = what
        self._mailbox = mailbox

    def check_loop(self) -> None:
        """Whether their loop is the one that runs. Errors: RuntimeError, which names both."""
        self.home.check(self._what)

    async def wait(self) -> None:
        """Waits for the next wake(). Errors: as check_loop()."""
        self.check_loop()
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
        """Ends all waits. On the loop's thread only; where the loop is closed, nothing waits any more."""
        for future in tuple(self):  # a task that was left in a closed loop may be collected meanwhile
            if not future.done():
                try:
                    future.set_result(None)
                except RuntimeError:
                    if not self.home.is_closed:
                        raise
