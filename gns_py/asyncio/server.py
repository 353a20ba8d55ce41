"""listen() and serve()."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Any

from .._core.callbacks import awaited, check_handler
from .._core.deadline import Deadline
from .._core.endpoint import StatusCallback, check_options
from .._core.failures import report
from .._core.listener import BaseServer, Listener, host_to_listen
from .._generated.enums import EndReason
from ..address import Address
from ..config import Config
from ..errors import ConcurrencyError, InvalidStateError, NotRunningError
from ..events import ConnectionRequest, StatusChanged
from ..limits import DEFAULT_LIMITS, ConnectionLimits, check_limits
from ..stats import ConnectionInfo
from .awaitable import Opening
from .connection import Connection
from .mailbox import LoopMailbox, Waiters, forget, loop_mailbox
from .resolver import lookup

_log = logging.getLogger("gns_py")


class ListenSocket(Listener[Connection]):
    """An open port. Made by listen(). One task reads it: with ``async for``, or with accept().

    As an async context manager it is closed at the end.
    """

    def __init__(
        self,
        mailbox: LoopMailbox,
        where: Address,
        options: Config,
        limits: ConnectionLimits | None,
        on_status_changed: StatusCallback | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_mailbox = mailbox
        self._requests: deque[ConnectionRequest[Connection]] = deque()
        self._reader = Waiters(mailbox.home, "listen socket", mailbox)
        super().__init__(mailbox, where, options, limits, on_status_changed)

    async def accept(self) -> Connection:
        """Waits for the next connection, accepts it and returns it. Cancelling it loses none.

        Errors: InvalidStateError (the socket is closed), ConcurrencyError. Native: AcceptConnection.
        """
        async for request in self:
            connection = self._take(request, None)
            if connection is not None:
                return connection
        raise InvalidStateError("the listen socket is closed")

    def __aiter__(self) -> ListenSocket:
        """Requests as they come, until the socket is closed, each to be accepted or rejected."""
        return self

    async def __anext__(self) -> ConnectionRequest[Connection]:
        self._reader.check_loop()
        if self._reader:
            raise ConcurrencyError("two tasks read the same listen socket at once")
        while not self._requests:
            if self._closed:
                raise StopAsyncIteration
            if not self._loop_mailbox.is_attached:
                raise NotRunningError("the runtime was stopped")
            await self._reader.wait()
        return self._requests.popleft()

    async def __aenter__(self) -> ListenSocket:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _make_inbound(self, handle: int, info: ConnectionInfo) -> Connection:
        return Connection(self._loop_mailbox, handle, info, self._on_inbound_status)

    def _on_request(self, request: ConnectionRequest[Connection]) -> None:
        self._requests.append(request)
        self._reader.wake()

    def _on_inbound_status(self, event: StatusChanged[Any]) -> None:
        if event.end is not None:  # who has given up is nobody to accept
            for request in [each for each in self._requests if each.connection is event.connection]:
                self._requests.remove(request)
        super()._on_inbound_status(event)

    def _on_closed(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._reader.wake)


class listen(Opening[ListenSocket]):  # noqa: N801 - it is used like a function
    """Opens a port: ``await listen(...)``, or ``async with listen(...) as socket``; a ListenSocket.

    host: an address or name of this machine; "0.0.0.0" all IPv4, "::" all IPv4 and IPv6, "" the same, or all IPv4 where
    the system has no IPv6; each peer is answered from the address that it called. port: 0 finds a free one, which
    ``address`` tells. config: options of the connections that come in. limits: how many of them, of each address and in
    all, may be open, half open, and come at once; None: no limits. on_status_changed: called with each StatusChanged of
    theirs, from NONE -> CONNECTING on, in the context (contextvars) of listen(), by the loop.
    Errors: ListenError (an OSError: the port is taken, the address not this machine's), OSError (the name cannot be
    resolved), TypeError, ValueError. Native: CreateListenSocketIP.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        config: Config | None = None,
        limits: ConnectionLimits | None = DEFAULT_LIMITS,
        on_status_changed: StatusCallback | None = None,
    ) -> None:
        self._options = check_options(config, on_status_changed)
        check_limits(limits)
        self._limits = limits
        self._where = host, port
        self._on_status_changed = on_status_changed

    async def _open(self) -> ListenSocket:
        host, port = self._where
        where = (await lookup(host_to_listen(host), port))[0]
        mailbox = loop_mailbox()
        try:
            return ListenSocket(mailbox, where, self._options, self._limits, self._on_status_changed)
        finally:
            mailbox.settle()


class Server(BaseServer[Connection]):
    """A running server: made by serve(). Each connection has a task of its own, in which its handler runs.

    As an async context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(self, handler: Callable[[Connection], Awaitable[object]], listener: ListenSocket) -> None:
        super().__init__(listener)
        self._handler = partial(awaited, handler)
        self._handlers: set[asyncio.Task[None]] = set()
        self._home = listener._loop_mailbox.home
        self._acceptor = asyncio.ensure_future(self._accept_all(listener))

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "", *, linger: bool = True) -> None:
        """Closes the port and each connection, as ListenSocket.close() does; handlers that wait are ended by it.

        At once: wait_closed() waits for the handlers. Errors: TypeError, ValueError. Any thread.
        """
        super().close(code, text, linger=linger)
        if self._home.is_closed:
            forget(self._acceptor)

    async def wait_closed(self) -> None:
        """Waits until the server is closed and all handlers have returned, except one that calls this."""
        self._home.check("server")
        await asyncio.wait([self._acceptor])  # first: it may just be starting a handler
        await self._wait_handlers(None)

    async def serve_forever(self) -> None:
        """Waits until the server is closed. Cancelling it closes the server and waits for the handlers."""
        try:
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise
        failure = None if self._acceptor.cancelled() else self._acceptor.exception()
        if failure is not None:
            raise RuntimeError("the server ended by itself") from failure

    def is_serving(self) -> bool:
        """Whether it is open, and accepts."""
        return super().is_serving() and not self._acceptor.done()

    async def drain(self, timeout: float | None = None) -> bool:
        """Ends the server gently: sends newcomers away, waits up to timeout seconds for the handlers, then closes.

        Returns whether all handlers returned by themselves; the others are cancelled, and their connections closed with
        GOING_AWAY. Errors: TypeError, ValueError.
        """
        deadline = Deadline(timeout)
        self._home.check("server")
        self._draining = True
        finished = await self._wait_handlers(deadline.remaining())
        self.close()
        for task in self._others():
            task.cancel()
        await self.wait_closed()
        return finished

    def _others(self) -> set[asyncio.Task[None]]:
        return {task for task in self._handlers if task is not asyncio.current_task()}

    async def _wait_handlers(self, timeout: float | None) -> bool:
        """Whether all ended in time."""
        others = self._others()
        return not others or not (await asyncio.wait(others, timeout=timeout))[1]

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        await self.wait_closed()

    async def _accept_all(self, listener: ListenSocket) -> None:
        with contextlib.suppress(NotRunningError):  # stopped
            async for request in listener:
                self._begin(request)
                del request  # while this waits for the next one it keeps nothing of this one

    def _begin(self, request: ConnectionRequest[Connection]) -> None:
        """Raises nothing but what ends the loop: it is one client's matter."""
        try:
            if self._refuses(request):
                return
            connection = self._listener._take(request, None)
            if connection is None:
                return
            task = asyncio.ensure_future(self._handle(connection))
            self._handlers.add(task)
            task.add_done_callback(self._handlers.discard)
        except NotRunningError:  # the acceptor sees it, too
            pass
        except Exception:
            _log.exception("%r is closed: it could not be served", request.connection)
            request.connection._close(EndReason.INTERNAL_ERROR, "the server failed", linger=False)

    async def _handle(self, connection: Connection) -> None:
        try:
            async with connection:
                await self._handler(connection)
        except BaseException as error:
            report(connection, error)


class serve(Opening[Server]):  # noqa: N801 - it is used like a function
    """Starts a server: ``await serve(...)``, or ``async with serve(...) as server``; a Server.

    It accepts in the background and runs ``await handler(connection)`` in a task for each connection. When the handler
    returns, its connection is closed with 1000; when it raises, with 2001 INTERNAL_ERROR, and the exception is logged;
    a ConnectionClosed of its own connection just ends it.
    Errors and arguments: as listen().
    """

    def __init__(
        self,
        handler: Callable[[Connection], Awaitable[object]],
        host: str,
        port: int,
        *,
        config: Config | None = None,
        limits: ConnectionLimits | None = DEFAULT_LIMITS,
        on_status_changed: StatusCallback | None = None,
    ) -> None:
        check_handler(handler)
        self._handler = handler
        self._listen = listen(host, port, config=config, limits=limits, on_status_changed=on_status_changed)

    async def _open(self) -> Server:
        return Server(self._handler, await self._listen)
