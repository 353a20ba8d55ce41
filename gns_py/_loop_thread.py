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
        self._unstarted: set[_Begun] = set()
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
        return self._loop.is_closed()

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine. The future is cancelled if the thread ends before it. Any thread.

        Raises:
            RuntimeError: The thread has ended.
        """
        begun = _Begun(coroutine)
        tracked = self._track(coroutine, begun)
        begun.coroutines.append(tracked)
        self._unstarted.add(begun)  # first: it is taken out in the loop
        try:
            future = begun.future = asyncio.run_coroutine_threadsafe(tracked, self._loop)
        except BaseException:
            self._unstarted.discard(begun)
            begun.drop()
            raise
        if begun.is_dropped:  # before the future was there
            future.cancel()
        return future

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine for which nothing waits. It does not run once the thread has ended. Any thread."""
        begun = _Begun(coroutine)
        self._unstarted.add(begun)
        try:
            self._loop.call_soon_threadsafe(self._create_task, coroutine, begun)
        except RuntimeError:  # the loop is closed
            self._unstarted.discard(begun)
            begun.drop()

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
                while self._unstarted:  # begun while the loop ended
                    self._unstarted.pop().drop()

    async def _finish(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        await self._loop.shutdown_asyncgens()

    def _create_task(self, coroutine: Coroutine[Any, Any, None], begun: _Begun) -> None:
        self._unstarted.discard(begun)
        task = self._loop.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _track(self, coroutine: Coroutine[Any, Any, T], begun: _Begun) -> T:
        self._unstarted.discard(begun)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self.tasks.add(task)
        try:
            return await coroutine
        finally:
            self.tasks.discard(task)


class _Begun:
    """A coroutine that was begun, and that the loop has not started yet."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutines = [coroutine]  # and the one around it
        self.future: Future[Any] | None = None
        self.is_dropped = False

    def drop(self) -> None:
        """Give it up: the loop is closed."""
        self.is_dropped = True
        for coroutine in self.coroutines:
            coroutine.close()
        if self.future is not None:
            self.future.cancel()
