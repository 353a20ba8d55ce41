"""The activity of threads."""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType

from .deadline import eventually


def until_waiting(thread: threading.Thread) -> None:
    """Wait until the thread waits within gns_py: that is, stays at the same instruction there."""

    def position() -> tuple[FrameType, int] | None:
        frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - documented
        return None if frame is None else (frame, frame.f_lasti)

    def is_waiting() -> bool:
        before = position()
        time.sleep(0.02)
        return before is not None and "gns_py" in before[0].f_code.co_filename and position() == before

    eventually(is_waiting, what="the thread to wait")
