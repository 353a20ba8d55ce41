"""The internal listener of sessions of an event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeAlias

from ..._core.listener import Listener
from ..._generated.enums import EndReason
from ...asyncio import Connection
from ...asyncio.mailbox import LoopMailbox
from ...asyncio.requests import LoopRequests
from ...asyncio.waiters import Waiters, forget
from ...errors import ConcurrencyError, NotRunningError
from .._core.admission import AdmissionRules
from .._core.endpoint import EngineMaker
from .._core.keeper import SessionKeeper
from .._core.listener import SessionListener
from .._core.outages import OutageCallbacks
from .._core.request import SessionRequest
from ..protocol.config import SessionConfig
from ..store import SessionStore
from .endpoint import LoopEndpoint
from .session import Session

# Clients that are let in, in some 50 ms, before the loop goes on: sessions, and answers of the store, do not wait while
# thousands arrive. With fewer, new clients would wait for too long while the loop has much to do.
_AT_ONCE = 64

Request: TypeAlias = SessionRequest[Session]


class LoopListener(SessionListener[Session]):
    """An open port for sessions, with a task that lets clients in."""

    def __init__(
        self,
        listener: Listener[Connection],
        requests: LoopRequests,
        config: SessionConfig,
        rules: AdmissionRules,
        callbacks: OutageCallbacks,
    ) -> None:
        super().__init__(listener, config, rules, callbacks)
        mailbox = listener.mailbox
        assert isinstance(mailbox, LoopMailbox)
        self.reader = Waiters(mailbox.home, "listen socket", mailbox)
        self.gate = asyncio.ensure_future(self._admit_all(requests))
        self.gate.add_done_callback(lambda _: self.reader.wake())
        self._store_tasks: set[asyncio.Task[None]] = set()
        self._store_closed: asyncio.Task[None] | None = None

    def keep_in(self, store: SessionStore, *, durable: bool) -> None:
        """Keep durable sessions in a store, and close that at the end. Called before any client is let in.

        Args:
            store: Where; it is open.
            durable: Whether sessions are durable unless the application says otherwise.
        """
        self.keeper = SessionKeeper(store, self.spawn)
        self.is_durable = durable
        self.new_session_id = store.new_session_id
        self._store_closed = asyncio.ensure_future(self._use_store(store, self.keeper))

    async def _use_store(self, store: SessionStore, keeper: SessionKeeper) -> None:
        watching = asyncio.ensure_future(keeper.watch())
        try:
            await asyncio.wait([self.gate])
        finally:
            watching.cancel()
            await asyncio.wait([watching, *self._store_tasks])
            await store.aclose()

    async def wait_store_closed(self) -> None:
        """Wait until nothing is left to be stored. The port has to be closed."""
        if self._store_closed is not None:
            await asyncio.wait([self._store_closed])

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """See SessionListener."""
        loop = self.reader.home.loop
        if loop is None:
            coroutine.close()
        elif loop is running_loop():
            self._run(coroutine)
        else:
            try:
                loop.call_soon_threadsafe(self._run, coroutine)
            except RuntimeError:  # the loop is closed
                coroutine.close()

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name="gns_py session store")
        self._store_tasks.add(task)
        task.add_done_callback(self._store_tasks.discard)

    def make_session(self, connection: Connection, make_engine: EngineMaker) -> Session:
        """See SessionListener."""
        return Session(LoopEndpoint(connection, make_engine))

    def notify_reader(self) -> None:
        """See SessionListener."""
        self.reader.wake()

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "") -> None:
        """See SessionListener."""
        super().close(code, text)
        if self.reader.home.is_closed:
            forget(self.gate)

    def check_reader(self) -> None:
        """Raise ConcurrencyError if another task waits, RuntimeError in another loop."""
        self.reader.check_loop()
        if self.reader:
            raise ConcurrencyError("two tasks read the same listen socket at once")

    async def next_request(self) -> Request | None:
        """Wait for a request, and return it, or None once the port is closed."""
        self.check_reader()
        while (request := self.take_request()) is None:
            if self.gate.done():
                return None
            await self.reader.wait()
        return request

    async def _admit_all(self, requests: LoopRequests) -> None:
        admitted = 0
        with contextlib.suppress(NotRunningError):  # stopped
            async for request in requests:
                self.admit(request)
                del request  # while this waits for the next one it keeps nothing of this one
                admitted += 1
                if admitted % _AT_ONCE == 0:
                    await asyncio.sleep(0)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
