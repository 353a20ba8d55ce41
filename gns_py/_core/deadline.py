"""Time limits of blocking calls."""

from __future__ import annotations

import math
import time

# Seconds, some thirty years: longer times, including infinity, mean no limit: the native clock has no room for them.
_FOREVER = 1e9


class Deadline:
    """The time by which a call that begins now must be over."""

    __slots__ = ("expires", "timeout")

    def __init__(self, timeout: float | None, name: str = "timeout") -> None:
        self.timeout = timeout
        self.expires: float | None = None
        """The time, as time.monotonic() has it; None without a limit."""
        if timeout is None:
            return
        if not isinstance(timeout, int | float) or isinstance(timeout, bool):
            raise TypeError(f"{name} must be seconds or None, not {type(timeout).__name__}")
        if math.isnan(timeout) or timeout < 0:
            raise ValueError(f"{name} is {timeout}: it must not be negative")
        if timeout < _FOREVER:
            self.expires = time.monotonic() + timeout

    def remaining(self) -> float | None:
        """Return the seconds that remain, at least 0; None without a limit."""
        return None if self.expires is None else max(0.0, self.expires - time.monotonic())

    def is_over(self) -> bool:
        """Return whether no time remains."""
        return self.expires is not None and time.monotonic() >= self.expires

    def later(self, seconds: float) -> Deadline:
        """Return a deadline that expires this much later; an unlimited one stays unlimited."""
        later = Deadline(None)
        later.expires = None if self.expires is None else self.expires + seconds
        return later


NO_LIMIT = Deadline(None)
