"""gns_py.session.asyncio with the blocking names of gns_py.session.sync, so that one test can use both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

import gns_py.session.asyncio as gns
from gns_py.session import sync
from gns_py.session._core.session import BaseSession

from .blocking import BlockingAsyncio, Shown, inner


class SessionApi(Protocol):
    """gns_py.session.sync, or an adapter that shows another API under its names."""

    @property
    def connect(self) -> Callable[..., sync.Session]: ...

    @property
    def listen(self) -> Callable[..., sync.ListenSocket]: ...

    @property
    def serve(self) -> Callable[..., sync.Server]: ...


def engine_of(session: Any) -> Any:
    """Return a session's engine, in which tests provoke faults."""
    return BaseSession.session_endpoint_of(inner(session)).engine


class BlockingSessions(BlockingAsyncio):
    """The names of gns_py.session.sync for gns_py.session.asyncio."""

    __name__ = gns.__name__

    def connect(self, host: str, port: int, **named: Any) -> Any:
        async def opening() -> gns.Session:
            return await gns.connect(host, port, **named)

        return self.call(opening)

    def listen(self, host: str, port: int, **named: Any) -> Any:
        async def opening() -> gns.ListenSocket:
            return await gns.listen(host, port, **named)

        return self.call(opening)

    def serve(
        self,
        handler: Callable[[Any], None],
        host: str,
        port: int,
        *,
        on_request: Callable[[Any], Any] | None = None,
        **named: Any,
    ) -> Any:
        """Serve; handler and on_request run in threads, which the coroutine functions that the server gets wait for."""

        async def handle(session: gns.Session) -> None:
            await self._loop.run_in_executor(self._handlers, handler, self.show(session))

        async def decide(request: Any) -> None:
            assert on_request is not None
            await self._loop.run_in_executor(self._handlers, on_request, self.show(request))

        async def opening() -> gns.Server:
            return await gns.serve(
                handle if callable(handler) else handler,
                host,
                port,
                on_request=decide if callable(on_request) else on_request,
                **named,
            )

        return self.call(opening)

    def show(self, thing: Any) -> Any:
        if isinstance(thing, gns.Session):
            return self.shown(thing, _ShownSession)
        if isinstance(thing, gns.ListenSocket | gns.Server | gns.SessionRequest):
            return self.shown(thing, Shown)
        return super().show(thing)


class _ShownSession(Shown):
    """A session whose close() waits, as it does in gns_py.session.sync."""

    __slots__ = ()

    def close(self, *arguments: Any, **named: Any) -> bytes:
        async def closing() -> bytes:
            return await cast("gns.Session", self.inner).close(*arguments, **named)

        return cast("bytes", self._api.call(closing))
