"""What runs when this process ends, however it was started."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Callable
from typing import Any

# After all that multiprocessing itself ends at an exit: its queues hand over what is in them at -5.
_PRIORITY = -100
_finalizer: Any = None


def at_process_exit(function: Callable[[], None]) -> None:
    """Runs the function when the interpreter exits; once, however often this is called with it."""
    atexit.unregister(function)
    atexit.register(function)
    # A child of multiprocessing that was forked, from its parent or from a fork server, ends by os._exit(). Only newer
    # Pythons run atexit's functions before that; all run multiprocessing's own.
    multiprocessing: Any = sys.modules.get("multiprocessing.process")
    util: Any = sys.modules.get("multiprocessing.util")
    if util is None or multiprocessing is None or multiprocessing.parent_process() is None:
        return
    global _finalizer
    if _finalizer is not None:
        _finalizer.cancel()
    _finalizer = util.Finalize(None, _after_other_threads, (function,), exitpriority=_PRIORITY)


def _after_other_threads(function: Callable[[], None]) -> None:
    """As at an interpreter's exit, threads that are no daemons come first: multiprocessing waits for them later."""
    others = [each for each in threading.enumerate() if not each.daemon and each is not threading.current_thread()]
    if not others:
        function()
        return

    def wait_and_run() -> None:
        for each in others:
            each.join()
        function()

    threading.Thread(target=wait_and_run, name="gns_py exit").start()
