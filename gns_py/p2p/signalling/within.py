"""A time limit for a coroutine."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns. Before Python 3.12, ``asyncio.wait_for()`` can swallow a cancellation.

    Args:
        seconds: The time limit.
        coroutine: It runs in a task of its own, which has always ended when this returns or raises.

    Raises:
        TimeoutError: It did not end in time, and was cancelled.
    """
    task = asyncio.ensure_future(coroutine)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if task.cancelled():
        raise TimeoutError(f"not within {seconds:g} s")
    return task.result()
