"""The number of files, sockets and the like that this process has open."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_PROCESS = psutil.Process()


def open_descriptors() -> int:
    """Return the number of descriptors (handles on Windows) without the one that GNS on Linux opens when it first finds
    itself slow.

    It keeps that file, its process's status, for good.
    """
    if hasattr(_PROCESS, "num_handles"):
        return int(_PROCESS.num_handles())
    kept = f"/proc/{_PROCESS.pid}/status"
    return int(_PROCESS.num_fds()) - sum(os.path.realpath(each) == kept for each in Path("/proc/self/fd").glob("*"))
