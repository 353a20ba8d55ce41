"""An event loop in a thread of its own, for things of asyncio that threads use."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from ._uncopyable import Uncopyable

T = TypeVar("T")


class LoopThread(Uncopyable):
    """A daemon thread with an event loop, from the beginning to stop(). Nothing that was begun there is left waiting.

    Args:
        name: The thread's name.

    Raises:
        RuntimeError: The system has no more threads.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        # Held while something is handed to the loop; no other lock is taken meanwhile. Reentrant, since a signal's
        # handler may begin something, too.
        self._lock = threading.RLock()
        self._is_ending = False
        self.tasks: set[asyncio.Task[Any]] = set()
        """The tasks that run there. Only for the loop."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._loop.close()
            raise

    @property
    def is_alive(self) -> bool:
        """True until stop()."""
        return self._thread.is_alive()

    @property
    def has_ended(self) -> bool:
        """True once nothing can be begun any longer."""
        return self._is_ending

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine. The future is cancelled if the thread ends before it. Any thread.

        Raises:
            RuntimeError: The thread has ended, or is about to.
        """
        with self._lock:
            if self._is_ending:
                coroutine.close()
                raise RuntimeError("the thread has ended")
            return asyncio.run_coroutine_threadsafe(self._track(coroutine), self._loop)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine for which nothing waits. It does not run once the thread has ended. Any thread."""
        with self._lock:
            if self._is_ending:
                coroutine.close()
            else:
                self._loop.call_soon_threadsafe(self._create_task, coroutine)

    def stop(self) -> None:
        """Cancel what still runs, and end the thread. Stopping it again does nothing. Not from the thread itself."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    # ---- in the thread ----

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            try:
                self._loop.run_until_complete(self._finish())
            finally:
                self._loop.close()

    async def _finish(self) -> None:
        with self._lock:
            self._is_ending = True
        # Coroutines begun before that become tasks in the first turn, and start in the second: a coroutine that is
        # cancelled before it has started would be one that was never awaited.
        for _ in range(2):
            await asyncio.sleep(0)
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left)
        await self._loop.shutdown_asyncgens()

    def _create_task(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _track(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self.tasks.add(task)
        try:
            return await coroutine
        finally:
            self.tasks.discard(task)
