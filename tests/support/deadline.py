"""Waiting for what nothing tells of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout: float = 5.0, what: str = "the condition") -> T:
    """What the condition returns as soon as that is true; AssertionError if it is not within so many seconds."""
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {timeout} s: {result!r}")
        time.sleep(0.002)
