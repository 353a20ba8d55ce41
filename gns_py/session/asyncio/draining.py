"""Servers that send their clients away before they close."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ...asyncio.handlers import TaskServer
from .._core.draining import Redirect, plan_departure
from .._core.server import BaseServer
from ..protocol.departure import Departure
from .loop_listener import LoopListener
from .session import Session

# How often a server that drains checks whether handshakes are still under way.
_LOOK = 0.1


class DrainingServer(BaseServer[Session], TaskServer[Session]):
    """The part of a server that drains."""

    _listener: LoopListener

    def __init__(self, handler: Callable[[Session], Awaitable[object]], listener: LoopListener) -> None:
        BaseServer.__init__(self, listener)
        TaskServer.__init__(self, handler, listener.reader.home)
        self._drainer: asyncio.Task[bool] | None = None
        self._change = asyncio.Event()  # for the drainer
        self._patient: set[asyncio.Task[Any] | None] = set()  # tasks that wait in drain(); handlers may be among them

    async def drain(self, deadline: float | None = None, *, redirect: Redirect = (), text: str = "") -> bool:
        """End the server gently: send its clients away, wait until they have left, then close.

        New clients are rejected. Each client that has a session is told when the server will end, and where to go
        instead; a session that is resumed meanwhile is told again. At the deadline the sessions that are left end with
        SERVER_SHUTTING_DOWN, after everything that was sent to them, and their handlers are cancelled. Those that have
        no connection at that moment end at once. Durable ones end here with FAILED_OVER, and go on at another server.

        Cancelling this cancels only the waiting. A second call waits as well: the earlier deadline holds, and what the
        clients have been told first.

        Args:
            deadline: Seconds; None waits without a limit.
            redirect: Up to 16 addresses of other servers, the best one first: "host:port", or (host, port).
            text: For people, up to 1,024 bytes.

        Returns:
            True if all handlers had returned by the deadline.

        Raises:
            TypeError: An argument has the wrong type.
            ValueError: ``deadline`` is negative, ``text`` too long, an address wrong, or there are too many.
            RuntimeError: This is not the server's loop.
        """
        self._home.check("server")
        self.start_draining(plan_departure(deadline, redirect, text))
        task = asyncio.current_task()
        self._patient.add(task)
        self._change.set()
        drainer = self._drainer
        assert drainer is not None
        try:
            await asyncio.wait([drainer])
        finally:
            self._patient.discard(task)
        return not drainer.cancelled() and drainer.result()

    def start_draining(self, departure: Departure) -> None:
        """See BaseServer. In the server's loop only. Not part of the API."""
        self._announce(departure)
        self._change.set()
        if self._drainer is None:
            self._drainer = asyncio.ensure_future(self._drain())

    async def _drain(self) -> bool:
        loop = asyncio.get_running_loop()
        while self._is_busy() and (left := self._time_left()) > 0:
            self._check_moved()
            self._change.clear()
            look = loop.call_later(min(left, _LOOK), self._change.set)
            await self._change.wait()
            look.cancel()
        self._close_drained()
        late = self._other_handlers()
        for task in late:
            task.cancel()
        await self.wait_closed()
        return not late

    def _is_busy(self) -> bool:
        return bool(self._other_handlers() or self._listener.registry.is_deciding)

    def _other_handlers(self) -> set[asyncio.Task[None]]:
        return super()._other_handlers() - self._patient

    def _on_handler_done(self, task: asyncio.Task[None]) -> None:
        super()._on_handler_done(task)
        self._change.set()

    def _turn_newcomers_away(self) -> None:
        self._listener.registry.drain()
