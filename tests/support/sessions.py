"""gns_py.session.asyncio with the blocking names of gns_py.session.sync, so that one test can use both."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

import gns_py.session.asyncio as gns
from gns_py.session import CloseReason, sync
from gns_py.session._core.session import BaseSession
from gns_py.session.protocol.frames import GoAway

from .blocking import BlockingAsyncio, Shown, inner


class SessionApi(Protocol):
    """gns_py.session.sync, or an adapter that shows another API under its names."""

    @property
    def connect(self) -> Callable[..., sync.Session]: ...

    @property
    def connect_again(self) -> Callable[..., Iterator[sync.Session]]: ...

    @property
    def listen(self) -> Callable[..., sync.ListenSocket]: ...

    @property
    def serve(self) -> Callable[..., sync.Server]: ...


def engine_of(session: Any) -> Any:
    """Return a session's engine, in which tests provoke faults."""
    return BaseSession.session_endpoint_of(inner(session)).engine


def send_goaway(session: Any, *addresses: tuple[str, int] | str, seconds: float = 60.0, text: str = "") -> None:
    """Send GOAWAY from the server's end of a session."""
    endpoint = BaseSession.session_endpoint_of(inner(session))
    texts = tuple(each if isinstance(each, str) else f"{each[0]}:{each[1]}" for each in addresses)
    with endpoint.lock:
        endpoint.engine.queue_frame(GoAway(CloseReason.SERVER_SHUTTING_DOWN, round(seconds * 1000), text, texts))
        endpoint.engine.flush(time.monotonic())


class BlockingSessions(BlockingAsyncio):
    """The names of gns_py.session.sync for gns_py.session.asyncio."""

    __name__ = gns.__name__

    def connect(self, host: Any, port: int | None = None, **named: Any) -> Any:
        async def opening() -> gns.Session:
            return await gns.connect(host, port, **named)

        return self.call(opening)

    def connect_again(self, host: Any, port: int | None = None, **named: Any) -> Iterator[Any]:
        """Iterate over connect(), which does it itself in asyncio."""
        iterator = gns.connect(host, port, **named).__aiter__()

        async def advance() -> gns.Session:
            return await iterator.__anext__()

        async def leave() -> None:
            await cast("Any", iterator).aclose()

        try:
            while True:
                try:
                    session = self.call(advance)
                except StopAsyncIteration:
                    return
                yield session
                del session
        finally:
            self.call(leave)

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
