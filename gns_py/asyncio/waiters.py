"""Tasks that wait, and the event loop that they belong to."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import Protocol

# asyncio's own switch for the complaint about a task that is collected before it has ended; it has no public one.
_COMPLAINT = "_log_destroy_pending"


class Keeper(Protocol):
    """Keeps things alive: see LoopMailbox."""

    @property
    def kept(self) -> weakref.ref[set[object]]:
        """Where to put them."""


class Home:
    """The event loop, and its thread, in which something was made and which it belongs to."""

    __slots__ = ("_thread", "reference")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.reference = weakref.ref(loop)
        self._thread = threading.current_thread().name

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop; None once it is gone."""
        return self.reference()

    @property
    def is_closed(self) -> bool:
        """True once the loop is closed or gone: no task waits there any longer, and nothing is called later."""
        loop = self.reference()
        return loop is None or loop.is_closed()

    def check(self, what: str) -> None:
        """Raise RuntimeError, which names both loops, unless this loop is the one that runs."""
        running = asyncio.get_running_loop()
        if running is not self.reference():
            self.check_is(Home(running), what)

    def check_is(self, other: Home, what: str) -> None:
        """Raise RuntimeError, which names both loops, unless this loop is the other one's."""
        if self.loop is not other.loop:
            raise RuntimeError(f"the {what} belongs to {self}, and cannot be used in {other}")

    def __str__(self) -> str:
        loop = self.reference()
        if loop is None:
            return f"an event loop of thread {self._thread!r} that is gone"
        state = "closed " if loop.is_closed() else ""
        return f"the {state}{type(loop).__name__} at {id(loop):#x} of thread {self._thread!r}"


class Waiters(set["asyncio.Future[None]"]):
    """Tasks of one loop that wait for something to change."""

    __slots__ = ("_kept", "_loop", "_what", "home")

    def __init__(self, home: Home, what: str, keeper: Keeper | None = None) -> None:
        """Begin without tasks.

        Args:
            home: The loop.
            what: The kind of object that the tasks wait for, for errors.
            keeper: Keeps the tasks alive while they wait.
        """
        super().__init__()
        self.home = home
        self._loop = home.reference
        self._what = what
        self._kept = None if keeper is None else keeper.kept

    def check_loop(self) -> None:
        """Raise RuntimeError, which names both loops, unless their loop is the one that runs."""
        self.home.check(self._what)

    async def wait(self) -> None:
        """Wait for the next wake(). See check_loop()."""
        loop = self._loop()
        if loop is None:
            self.check_loop()
            return
        future: asyncio.Future[None] = loop.create_future()
        kept = self._kept() if self._kept is not None else None
        self.add(future)
        if kept is not None:
            kept.add(future)
        try:
            await future
        except RuntimeError:  # another loop's task cannot wait for it: asyncio looks at that, at no cost
            self.check_loop()
            raise
        finally:
            self.discard(future)
            if kept is not None:
                kept.discard(future)

    def wake(self) -> None:
        """End all waits. On the loop's thread only; if the loop is closed, nothing waits any longer."""
        for future in tuple(self):  # a task that was left in a closed loop may be collected meanwhile
            if not future.done():
                try:
                    future.set_result(None)
                except RuntimeError:
                    if not self.home.is_closed:
                        raise


def forget(task: asyncio.Task[None]) -> None:
    """Keep asyncio from complaining when a task of our own in a closed loop is collected: it can never end."""
    setattr(task, _COMPLAINT, False)
