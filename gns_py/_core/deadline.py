"""Time limits of blocking calls."""

from __future__ import annotations

import math
import time

# Seconds, some thirty years: longer times, infinity too, are no limit, and the native clock has no room for them.
_FOREVER = 1e9


class Deadline:
    """When a call that began now must be over; None: never."""

    __slots__ = ("_at",)

    def __init__(self, timeout: float | None) -> None:
        self._at: float | None = None
        if timeout is None:
            return
        if not isinstance(timeout, int | float) or isinstance(timeout, bool):
            raise TypeError(f"timeout must be seconds or None, not {type(timeout).__name__}")
        if math.isnan(timeout) or timeout < 0:
            raise ValueError(f"timeout is {timeout}: it must not be negative")
        if timeout < _FOREVER:
            self._at = time.monotonic() + timeout

    def remaining(self) -> float | None:
        """Seconds, not negative; None without a limit."""
        return None if self._at is None else max(0.0, self._at - time.monotonic())

    def is_over(self) -> bool:
        """Whether nothing remains."""
        return self._at is not None and time.monotonic() >= self._at

    def later(self, seconds: float) -> Deadline:
        """One that is over so much later; None stays never."""
        later = Deadline(None)
        later._at = None if self._at is None else self._at + seconds
        return later
