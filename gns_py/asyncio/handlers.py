"""Handlers in tasks, and servers that run them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from .._core.callbacks import awaited
from .._core.deadline import Deadline
from .._core.failures import Served, report
from .waiters import Home, forget

T = TypeVar("T", bound=AbstractAsyncContextManager[Any])
S = TypeVar("S", bound="TaskServer[Any]")


class TaskServer(ABC, Generic[T]):
    """A server with tasks that accept, and one for each handler."""

    def __init__(self, handler: Callable[[T], Awaitable[object]], home: Home) -> None:
        self._handler = handler
        self._home = home
        self._handlers: set[asyncio.Task[None]] = set()
        self._acceptors: list[asyncio.Task[None]] = []

    @abstractmethod
    def close(self) -> None:
        """Close the server."""

    async def wait_closed(self) -> None:
        """Wait until the server is closed and all handlers have returned, except one that calls this.

        Raises:
            RuntimeError: This is not the server's loop.
        """
        self._home.check("server")
        await asyncio.wait(self._acceptors)  # first: they may just be starting a handler
        await self._wait_handlers(None)

    async def serve_forever(self) -> None:
        """Wait until the server is closed. Cancelling this closes the server and waits for the handlers.

        Raises:
            RuntimeError: The server ended by itself, through the exception that is the cause of this one; or this is
                not the server's loop.
        """
        try:
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise
        for task in self._acceptors:
            failure = None if task.cancelled() else task.exception()
            if failure is not None:
                raise RuntimeError("the server ended by itself") from failure

    async def drain(self, timeout: float | None = None) -> bool:
        """End the server gently: turn newcomers away, wait for the handlers, then close.

        Args:
            timeout: Seconds to wait for the handlers; None waits without a limit.

        Returns:
            True if all handlers returned by themselves. The others are cancelled.

        Raises:
            TypeError: ``timeout`` is not a number.
            ValueError: ``timeout`` is negative.
            RuntimeError: This is not the server's loop.
        """
        deadline = Deadline(timeout)
        self._home.check("server")
        self._turn_newcomers_away()
        finished = await self._wait_handlers(deadline.remaining())
        self.close()
        for task in self._other_handlers():
            task.cancel()
        await self.wait_closed()
        return finished

    async def __aenter__(self: S) -> S:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        await self.wait_closed()

    @abstractmethod
    def _turn_newcomers_away(self) -> None: ...

    def _other_handlers(self) -> set[asyncio.Task[None]]:
        return {task for task in self._handlers if task is not asyncio.current_task()}

    async def _wait_handlers(self, timeout: float | None) -> bool:
        """Return whether all handlers ended in time."""
        others = self._other_handlers()
        return not others or not (await asyncio.wait(others, timeout=timeout))[1]

    def _start_handler(self, client: T, served: Served) -> None:
        """Run the handler in a task of its own.

        Args:
            client: The connection or session that the handler gets, and that is closed when it returns.
            served: Recognizes exceptions that only report its own end.
        """
        task = asyncio.ensure_future(self._handle(client, served))
        self._handlers.add(task)
        task.add_done_callback(self._on_handler_done)

    def _on_handler_done(self, task: asyncio.Task[None]) -> None:
        self._handlers.discard(task)

    async def _handle(self, client: T, served: Served) -> None:
        try:
            async with client:
                await awaited(self._handler, client)
        except BaseException as error:
            report(served, error)

    def _forget_tasks(self) -> None:
        """If the loop is closed, keep asyncio from complaining about tasks that can never end."""
        if self._home.is_closed:
            for task in self._acceptors:
                forget(task)
