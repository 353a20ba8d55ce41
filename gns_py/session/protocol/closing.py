"""How long closing may take."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from math import inf

# An application that is asked for its goodbye has this part of the close timeout, so that the answer arrives before
# the peer gives up.
_ANSWER_PART = 0.8
# How often progress is checked in a close timeout.
_CHECKS = 4
# However slowly a peer takes or sends what is left, closing ends after this many close timeouts, plus the time that
# the waiting bytes take at this rate.
_MOST_TIMEOUTS = 12
_SLOWEST_RATE = 16 * 1024


class ClosingStatus(Enum):
    """The result of a check."""

    GOES_ON = auto()
    STALLED = auto()
    OVER = auto()


class ClosingTimer:
    """The time limits of closing: one without progress, and one in all."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.answer_at = inf
        """When this end says goodbye although its application has not."""
        self._check_at = inf
        self._stalled_at = inf
        self._give_up_at = inf
        self._progress: tuple[int, ...] = ()

    def wait_for_answer(self, now: float) -> None:
        """Start the time that the application has for its goodbye."""
        self.answer_at = now + self._timeout * _ANSWER_PART

    def start(self, now: float, waiting_bytes: int, progress: tuple[int, ...]) -> None:
        """Start both limits: this end says goodbye."""
        self.answer_at = inf
        self._give_up_at = now + _MOST_TIMEOUTS * self._timeout + waiting_bytes / _SLOWEST_RATE
        self._restart(now, progress)

    def _restart(self, now: float, progress: tuple[int, ...]) -> None:
        self._stalled_at = now + self._timeout
        self._check_at = now + self._timeout / _CHECKS
        self._progress = progress

    @property
    def next_at(self) -> float:
        """The time of the next check, or of the overdue answer."""
        return min(self._check_at, self._stalled_at, self._give_up_at, self.answer_at)

    def check(self, now: float, measure_progress: Callable[[], tuple[int, ...]]) -> ClosingStatus:
        """Return where closing stands.

        Args:
            now: The time.
            measure_progress: Returns numbers that change while there is progress. Called only when a check is due.
        """
        if now >= self._give_up_at:
            return ClosingStatus.OVER
        if now < self._check_at:
            return ClosingStatus.GOES_ON
        progress = measure_progress()
        if progress != self._progress:
            self._restart(now, progress)
            return ClosingStatus.GOES_ON
        self._check_at = min(now + self._timeout / _CHECKS, self._stalled_at)
        return ClosingStatus.OVER if now >= self._stalled_at else ClosingStatus.STALLED
