"""Waiting for conditions that nothing reports."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# How many times longer than on a current machine things may take: more where a processor is emulated.
PATIENCE = float(os.environ.get("GNS_PY_TEST_PATIENCE", "1"))


def eventually(condition: Callable[[], T], timeout: float = 5.0, what: str = "the condition") -> T:
    """Return the condition's result as soon as it is true. Raises AssertionError after that many seconds."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {timeout} s: {result!r}")
        time.sleep(0.002)
