"""Pauses between attempts."""

from __future__ import annotations

import random


class Backoff:
    """Pauses that double, with jitter, so that the clients of a server that was down do not come back all at once.

    Args:
        first: The middle of the first pause, in seconds.
        longest: The longest pause, in seconds.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._attempts = 0

    def next(self) -> float:
        """Return the next pause in seconds."""
        middle = min(self._first * 2.0 ** min(self._attempts, 30), self._longest / 1.5)
        self._attempts += 1
        return middle * random.uniform(0.5, 1.5)

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._attempts = 0
