"""Runs the coroutines of a session store for threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar, cast

from ..store import SessionStore, StoreUnavailable

T = TypeVar("T")
# Seconds for what is left to be stored once everything else has ended.
_LAST = 5.0


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


class StoreThread:
    """A thread with a loop of its own, in which a store is used from open() to close().

    Raises:
        StoreError: The store cannot be opened.
        RuntimeError: The system has no more threads.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._unstarted: set[_Begun] = set()
        self._thread = threading.Thread(target=self._run, name="gns_py session store", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._loop.close()
            raise
        try:
            self.call(store.open())
        except BaseException:
            self._stop()
            raise

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            while self._unstarted:  # begun while the loop ended
                self._unstarted.pop().drop()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine, and wait for what it returns or raises.

        Raises:
            StoreUnavailable: This is closed, or was closed before the store had answered.
        """
        try:
            return self._begin(coroutine).result()
        except CancelledError as error:
            raise StoreUnavailable("the server was closed before the store had answered") from error

    def _begin(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        begun = _Begun(coroutine)
        tracked = self._track(coroutine, begun)
        begun.coroutines.append(tracked)
        self._unstarted.add(begun)  # first: it is taken out in the loop
        try:
            future = begun.future = asyncio.run_coroutine_threadsafe(tracked, self._loop)
        except BaseException as error:
            self._unstarted.discard(begun)
            begun.drop()
            if isinstance(error, RuntimeError) and self._loop.is_closed():
                raise StoreUnavailable("the server is closed") from error
            raise
        if begun.is_dropped:  # before the future was there
            future.cancel()
        return future

    async def _track(self, coroutine: Coroutine[Any, Any, T], begun: _Begun) -> T:
        self._unstarted.discard(begun)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._tasks.add(task)
        try:
            return await coroutine
        finally:
            self._tasks.discard(task)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine for which nothing waits. After close() it does not run."""
        begun = _Begun(coroutine)
        self._unstarted.add(begun)
        try:
            self._loop.call_soon_threadsafe(self._create_task, coroutine, begun)
        except RuntimeError:  # the loop is closed
            self._unstarted.discard(begun)
            begun.drop()

    def _create_task(self, coroutine: Coroutine[Any, Any, None], begun: _Begun) -> None:
        self._unstarted.discard(begun)
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self, watching: Future[None]) -> None:
        """Let what was begun come to its end, close the store, and end the thread. Not from the thread itself."""
        if not self._thread.is_alive():
            return
        watching.cancel()
        with contextlib.suppress(StoreUnavailable):
            self.call(self._finish())
        self._stop()

    async def _finish(self) -> None:
        tasks = self._tasks - {asyncio.current_task()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_LAST)
            for task in late:
                task.cancel()
            await asyncio.sleep(0)  # so that those who wait for them learn it before the loop ends
        await self._store.aclose()

    def _stop(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> Future[None]:
        """Run a coroutine until it is cancelled."""
        return self._begin(coroutine)
