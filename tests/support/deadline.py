"""Waiting for what nothing tells of."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# How many times as long as on a machine of today things may take: more where a processor is emulated.
PATIENCE = float(os.environ.get("GNS_PY_TEST_PATIENCE", "1"))


def eventually(condition: Callable[[], T], timeout: float = 5.0, what: str = "the condition") -> T:
    """What the condition returns as soon as that is true; AssertionError if it is not within so many seconds."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {timeout} s: {result!r}")
        time.sleep(0.002)
