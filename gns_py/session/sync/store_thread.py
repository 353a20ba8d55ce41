"""Runs the coroutines of a session store for threads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from ..._loop_thread import LoopThread
from ..store import SessionStore, StoreUnavailable

T = TypeVar("T")
# Seconds for what is left to be stored once everything else has ended.
_LAST = 5.0


class StoreThread:
    """A thread with a loop of its own, in which a store is used from open() to close().

    Raises:
        StoreError: The store cannot be opened.
        RuntimeError: The system has no more threads.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._thread = LoopThread("gns_py session store")
        try:
            self.call(store.open())
        except BaseException:
            self._thread.stop()
            raise

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and wait for what it returns or raises.

        Raises:
            StoreUnavailable: This is closed, or was closed before the store had answered.
        """
        try:
            return self.begin(coroutine).result()
        except CancelledError as error:
            raise StoreUnavailable("the server was closed before the store had answered") from error

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine until it ends or is cancelled.

        Raises:
            StoreUnavailable: This is closed.
        """
        try:
            return self._thread.begin(coroutine)
        except RuntimeError as error:
            if not self._thread.has_ended:
                raise
            raise StoreUnavailable("the server is closed") from error

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine for which nothing waits. After close() it does not run."""
        self._thread.spawn(coroutine)

    def close(self, watching: Future[None]) -> None:
        """Let what was begun come to its end, close the store, and end the thread. Not from the thread itself."""
        if not self._thread.is_alive:
            return
        watching.cancel()
        with contextlib.suppress(StoreUnavailable):
            self.call(self._finish())
        self._thread.stop()

    async def _finish(self) -> None:
        tasks = self._thread.tasks - {asyncio.current_task()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_LAST)
            for task in late:
                task.cancel()
            await asyncio.sleep(0)  # so that those who wait for them learn it before the loop ends
        await self._store.aclose()
