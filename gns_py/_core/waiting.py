"""Waiting for native functions, and taking from queues so that no exception of a signal handler loses anything.

A signal handler, and another thread, get their turn at calls, at the start of functions and at the end of a loop's
round, and only there. Statements in a row that contain none of these are therefore *one step*: whatever a handler
raises, either all of them have been carried out or none. Several places in gns_py rest on this; the words "one step"
mark them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, TypeVar

from .. import _native
from . import greenlets
from .log import dispatch_logs

T = TypeVar("T")

SIGNAL_SLICE = _native.SIGNAL_SLICE_US / 1e6
"""Seconds that the main thread may take to notice Ctrl-C: signals do not interrupt a native wait."""
_NEVER: Any = object()


def wait(native: Callable[[int], int], timeout: float | None) -> int:
    """Call native(microseconds) repeatedly until it returns nonzero or the timeout expires.

    The main thread checks for signals ten times a second.

    Args:
        native: A function of the core that waits for this many microseconds; -1 means no limit.
        timeout: Seconds, or None for no limit.

    Returns:
        The last result of ``native``.
    """
    if timeout != 0.0 and (sleep := greenlets.cooperative_sleep()) is not None:
        result = greenlets.wait(native, timeout, sleep)
        dispatch_logs()
        return result
    if timeout is None or timeout > SIGNAL_SLICE:
        if threading.get_ident() != threading.main_thread().ident:
            return native(-1 if timeout is None else int(timeout * 1e6))
        deadline = None if timeout is None else time.monotonic() + timeout
        while timeout is None or timeout > SIGNAL_SLICE:
            result = native(_native.SIGNAL_SLICE_US)
            if result:
                return result
            dispatch_logs()
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
    return native(int(timeout * 1e6))


def take(waiting: deque[T], limit: int | None = None) -> list[T]:
    """Remove and return up to `limit` items, oldest first.

    Other threads may add items, or clear the queue, at the same time. If a signal handler raises, every item stays
    where it was.
    """
    taken: list[T] = []
    try:
        with contextlib.suppress(IndexError):  # cleared meanwhile
            taken.extend(islice(iter(waiting.popleft, _NEVER), min(len(waiting), limit or len(waiting))))  # one step
        return taken
    except BaseException:
        waiting.extendleft(reversed(taken))
        raise


def take_matching(waiting: deque[T], matches: Callable[[T], bool], limit: int | None = None) -> list[T]:
    """Remove and return up to `limit` matching items, keeping the rest in order. See take()."""
    taken: list[T] = []
    index = 0
    try:
        while index < len(waiting) and len(taken) != limit:
            if matches(waiting[index]):
                taken += (waiting[index],)  # one step with the next
                del waiting[index]
            else:
                index += 1
        return taken
    except IndexError:  # cleared meanwhile
        return taken
    except BaseException:
        waiting.extendleft(reversed(taken))
        raise
