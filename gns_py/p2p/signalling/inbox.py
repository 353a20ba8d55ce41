"""Signals or events that have arrived and wait to be iterated over."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from ...errors import ConcurrencyError

T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue with a bound, from which the oldest item is dropped, and with an end.

    Args:
        capacity: The number of items that are kept.
    """

    def __init__(self, capacity: int) -> None:
        self._items: deque[T] = deque(maxlen=capacity)
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: BaseException | None = None

    @property
    def has_ended(self) -> bool:
        """True once end() was called."""
        return self._ended

    def put(self, item: T) -> None:
        """Add an item. After the end it is dropped."""
        if not self._ended:
            self._items.append(item)
            self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """Let the iteration end after the items that wait, with an exception or without. The first call counts."""
        if not self._ended:
            self._ended, self._error = True, error
            self._wake()

    async def get(self) -> T:
        """Wait for the next item, take it out, and return it.

        Raises:
            StopAsyncIteration: There are no more.
            ConcurrencyError: Another task waits for an item.
        """
        while not self._items:
            if self._ended:
                if self._error is not None:
                    raise self._error.with_traceback(None)
                raise StopAsyncIteration
            if self._waiter is not None:
                raise ConcurrencyError("two tasks iterate at once")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._items.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
