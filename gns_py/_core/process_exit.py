"""Functions that run when this process ends, however it was started."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Callable
from typing import Any

# After everything that multiprocessing itself ends at an exit: its queues deliver what is in them at -5.
_PRIORITY = -100
_finalizer: Any = None


def at_process_exit(function: Callable[[], None]) -> None:
    """Run a function when the interpreter exits, however often this is called with it.

    In a child of multiprocessing it can run twice: a second call must do no harm.
    """
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
    """Run a function after the threads that are not daemons, as at an interpreter's exit."""
    # multiprocessing waits for those threads later.
    others = [each for each in threading.enumerate() if not each.daemon and each is not threading.current_thread()]
    if not others:
        function()
        return

    def wait_and_run() -> None:
        for each in others:
            each.join()
        function()

    threading.Thread(target=wait_and_run, name="gns_py exit").start()
