"""A thread for work that no exception of a signal handler may cut in two."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")

# Seconds after which an idle thread ends.
_IDLE = 0.5
# The main thread may take this long to notice Ctrl-C where the wait for a lock does not hear of signals.
_SLICE = 0.1


class _Job:
    """A call to be made, and its result."""

    __slots__ = ("_arguments", "_done", "_error", "_function", "_result")

    def __init__(self, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
        self._function = function
        self._arguments = arguments
        self._result: Any = None
        self._error: BaseException | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def execute(self) -> None:
        try:
            self._result = self._function(*self._arguments)
        except BaseException as error:
            self._error = error
        self._done.release()

    def result(self) -> object:
        while not self._done.acquire(timeout=_SLICE):
            pass
        if self._error is not None:
            raise self._error
        return self._result


class Shield:
    """A thread that does for the main thread what must be done as a whole: signals do not interrupt it.

    Python runs signal handlers in the main thread only, and what they raise is raised in whatever that thread does.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function, in another thread if this is the main thread, and return or raise what it does.

        If a signal handler ends the wait, the call is made all the same.
        """
        if threading.get_ident() != threading.main_thread().ident:
            return function(*arguments)
        job = _Job(function, arguments)
        self._jobs.put(job)
        if not self._ensure_thread():
            self._execute_waiting()
        return cast("T", job.result())

    def _ensure_thread(self) -> bool:
        with self._lock:
            if self._thread is not None and self._thread.is_alive():  # not in a forked child
                return True
            thread = threading.Thread(target=self._work, name="gns_py shield", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads, or the interpreter exits
                return False
            self._thread = thread
            return True

    def _execute_waiting(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            job.execute()

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_IDLE)
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return
                continue
            job.execute()
            del job


shield = Shield()
