"""Waiting where threads are greenlets: a process that gevent or eventlet has patched.

A native wait would stop all greenlets of its thread, including the one that it waits for. So it is done in small steps
with a cooperative sleep between them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, cast

# The sleep grows from the first to the second: early events are seen early, and long waits cost little.
_SHORTEST, _LONGEST = 0.0002, 0.005

Sleep = Callable[[float], Any]


def may_be() -> bool:
    """Return whether a library that can replace threads with greenlets is loaded."""
    return "gevent" in sys.modules or "eventlet" in sys.modules


def cooperative_sleep() -> Sleep | None:
    """Return the sleep of the library whose greenlets have replaced threads; None where threads are real."""
    patcher: Any = sys.modules.get("gevent.monkey")
    if patcher is not None and patcher.is_module_patched("threading"):
        return cast("Sleep", sys.modules["gevent"].sleep)
    patcher = sys.modules.get("eventlet.patcher")
    if patcher is not None and patcher.is_monkey_patched("thread"):
        return cast("Sleep", sys.modules["eventlet"].sleep)
    return None


def wait(native: Callable[[int], int], timeout: float | None, sleep: Sleep) -> int:
    """Call native(0) until it returns nonzero or ``timeout`` seconds are over (None: no limit); return the result."""
    end = None if timeout is None else time.monotonic() + timeout
    pause = _SHORTEST
    while True:
        result = native(0)
        remaining = pause if end is None else end - time.monotonic()
        if result or remaining <= 0:
            return result
        sleep(min(pause, remaining))
        pause = min(2 * pause, _LONGEST)
