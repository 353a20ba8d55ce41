"""The number of files, sockets and the like that this process has open."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_PROCESS = psutil.Process()


def open_descriptors() -> int:
    """Return the number of open descriptors (handles on Windows), without GNS's own.

    GNS on Linux opens one when it first finds itself slow: its process's status, a file that it keeps for good.
    """
    if hasattr(_PROCESS, "num_handles"):
        return int(_PROCESS.num_handles())
    kept = f"/proc/{_PROCESS.pid}/status"
    return int(_PROCESS.num_fds()) - sum(os.path.realpath(each) == kept for each in Path("/proc/self/fd").glob("*"))
