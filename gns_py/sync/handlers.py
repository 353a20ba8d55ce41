"""Handlers in threads, and servers that run them."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from .._core.callbacks import in_context
from .._core.deadline import Deadline
from .._core.failures import Served, report
from .._core.runtime import is_forked
from ..errors import ForkedError, NotRunningError

T = TypeVar("T", bound=AbstractContextManager[Any])
S = TypeVar("S", bound="ThreadServer[Any]")

_log = logging.getLogger("gns_py")
# A handler may take this long to begin.
_BEGINNING = 0.002
# How long an acceptor pauses after something unexpected, which may happen again at once.
_PAUSE = 0.05
# Joins are done in slices: on some platforms a join without a limit does not notice Ctrl-C.
_SLICE = 0.1


class ThreadServer(ABC, Generic[T]):
    """A server with a thread that accepts, and one for each handler.

    The threads are daemons, so that an interpreter that exits with the server open does not wait for its clients.
    """

    def __init__(self, handler: Callable[[T], None], name: str) -> None:
        self._handler = in_context("handler", handler)
        self._handlers: set[threading.Thread] = set()
        self._left_behind: set[threading.Thread] = set()
        self._failure: BaseException | None = None
        self._acceptor = threading.Thread(target=self._accept_all, name=name, daemon=True)

    @abstractmethod
    def is_serving(self) -> bool:
        """Return whether the server is open and accepts."""

    @abstractmethod
    def close(self) -> None:
        """Close the server."""

    def wait_closed(self, timeout: float | None = None) -> None:
        """Wait until the server is closed and all handlers have returned.

        Args:
            timeout: Seconds; None waits without a limit.

        Raises:
            TimeoutError: They did not return in time.
        """
        deadline = Deadline(timeout)
        _join(self._acceptor, deadline)  # first: it may just be starting a handler
        self._join_handlers(deadline)
        if self._acceptor.is_alive() or self._handlers:
            raise TimeoutError(f"the handlers did not end within {timeout} s")

    def serve_forever(self) -> None:
        """Wait until the server is closed. Ctrl-C closes it, and is then raised as KeyboardInterrupt.

        Raises:
            RuntimeError: The server ended by itself, through the exception that is the cause of this one.
        """
        try:
            self.wait_closed()
        finally:
            self.close()
        if self._failure is not None:
            raise RuntimeError("the server ended by itself") from self._failure

    def drain(self, timeout: float | None = None) -> bool:
        """End the server gently: turn newcomers away, wait for the handlers, then close.

        Args:
            timeout: Seconds to wait for the handlers; None waits without a limit.

        Returns:
            True if all handlers returned by themselves. Closing ends those that are still reading.

        Raises:
            TypeError: ``timeout`` is not a number.
            ValueError: ``timeout`` is negative.
        """
        deadline = Deadline(timeout)
        self._turn_newcomers_away()
        self._join_handlers(deadline)
        # A client may know that it is connected before its handler has begun.
        while self._has_clients() and self.is_serving() and not deadline.is_over():
            time.sleep(_BEGINNING)
            self._join_handlers(deadline)
        finished = not self._handlers
        self.close()
        return finished

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        self.wait_closed()

    @abstractmethod
    def _turn_newcomers_away(self) -> None: ...

    @abstractmethod
    def _has_clients(self) -> bool:
        """Return whether a handler may be about to begin."""

    @abstractmethod
    def _is_finished(self) -> bool:
        """Return whether the acceptor has nothing left to do."""

    @abstractmethod
    def _accept_some(self) -> None:
        """Wait for requests and decide them."""

    def _on_finished(self) -> None:
        """Do what remains to be done when the acceptor ends."""

    def _accept_all(self) -> None:
        try:
            while not self._is_finished():
                self._accept_or_log()
        except (NotRunningError, ForkedError):  # stopped
            pass
        except BaseException as error:
            self._failure = error
            _log.exception("%r ends: its acceptor failed", self)
        finally:
            self._on_finished()

    def _accept_or_log(self) -> None:
        try:
            self._accept_some()
        except (NotRunningError, ForkedError):
            raise
        except BaseException:  # a callback's SystemExit, too, does not end the server
            _log.exception("%r goes on after an exception", self)
            time.sleep(_PAUSE)

    def _start_handler(self, client: T, served: Served, peer: object) -> None:
        """Run the handler in a thread of its own.

        Args:
            client: The connection or session that the handler gets, and that is closed when it returns.
            served: Recognizes exceptions that only report its own end.
            peer: For the thread's name.

        Raises:
            RuntimeError: The system has no thread left.
        """
        thread = threading.Thread(
            target=self._handle, args=(client, served), name=f"gns_py handler {peer}", daemon=True
        )
        self._handlers.add(thread)
        try:
            thread.start()
        except BaseException:  # no memory, for instance: one that has not begun is not to be waited for
            self._handlers.discard(thread)
            raise

    def _handle(self, client: T, served: Served) -> None:
        try:
            with client:
                self._handler(client)
        except BaseException as error:
            report(served, error)
        finally:
            self._handlers.discard(threading.current_thread())

    def _join_handlers(self, deadline: Deadline) -> None:
        if is_forked():  # the threads are the parent's
            self._handlers.clear()
        while self._handlers and not deadline.is_over():  # one whose set-up was under way may just begin
            for thread in list(self._handlers):
                while thread.is_alive() and not deadline.is_over() and thread not in self._left_behind:
                    thread.join(_SLICE)

    def _leave_handlers(self) -> int:
        """Wait for the handlers that have not returned no longer, and return their number."""
        self._left_behind |= self._handlers
        self._handlers -= self._left_behind
        return len(self._left_behind)


def _join(thread: threading.Thread, deadline: Deadline) -> None:
    while thread.is_alive() and not deadline.is_over():
        thread.join(_SLICE)
