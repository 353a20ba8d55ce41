"""Exceptions in the middle of dispatching: gns_py's own faults, or a signal handler's."""

from __future__ import annotations

import traceback

# Modules whose code runs while an event is dispatched, apart from callbacks.
_OWN_MODULES = frozenset({"gns_py", "enum", "ipaddress"})


def is_own_fault(error: BaseException) -> bool:
    """Return whether an exception comes from gns_py's own code, and not from a signal handler that ran within it."""
    if not isinstance(error, Exception):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, MemoryError) or frames[-1].f_globals.get("__name__", "").split(".")[0] in _OWN_MODULES
