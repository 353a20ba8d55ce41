"""Requests that wait for a task."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

from .._core.request import ConnectionRequest
from ..errors import ConcurrencyError, NotRunningError
from .connection import Connection
from .mailbox import LoopMailbox
from .waiters import Waiters


class LoopRequests:
    """The requests of a listener, for one task of a loop."""

    def __init__(self, mailbox: LoopMailbox) -> None:
        self._loop = asyncio.get_running_loop()
        self._mailbox = mailbox
        self._requests: deque[ConnectionRequest[Connection]] = deque()
        self._reader = Waiters(mailbox.home, "listen socket", mailbox)
        self._is_closed = False

    def put(self, request: ConnectionRequest[Any]) -> None:
        """See Requests."""
        self._requests.append(request)
        self._reader.wake()

    def withdraw(self, connection: Connection) -> None:
        """See Requests."""
        for request in [each for each in self._requests if each.connection is connection]:
            self._requests.remove(request)

    def close(self) -> None:
        """See Requests."""
        self._is_closed = True

    def wake(self) -> None:
        """See Requests."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._reader.wake)

    def __aiter__(self) -> LoopRequests:
        return self

    async def __anext__(self) -> ConnectionRequest[Connection]:
        self._reader.check_loop()
        if self._reader:
            raise ConcurrencyError("two tasks read the same listen socket at once")
        while not self._requests:
            if self._is_closed:
                raise StopAsyncIteration
            if not self._mailbox.is_attached:
                raise NotRunningError("the runtime was stopped")
            await self._reader.wait()
        return self._requests.popleft()
