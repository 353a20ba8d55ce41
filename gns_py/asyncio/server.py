"""serve()."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import cast

from .._core.callbacks import check_handler
from .._core.checks import StatusCallback
from .._core.connection import BaseConnection
from .._core.listener import Listener
from .._core.peers import Rendezvous
from .._core.request import ConnectionRequest
from .._core.server import BaseServer
from .._generated.enums import EndReason
from ..config import Config
from ..errors import NotRunningError
from ..limits import DEFAULT_LIMITS, ConnectionLimits
from .awaitable import AwaitableContext
from .connection import Connection
from .handlers import TaskServer
from .listener import OpenListener
from .mailbox import LoopMailbox
from .requests import LoopRequests

_log = logging.getLogger("gns_py")


class Server(BaseServer[Connection], TaskServer[Connection]):
    """A running server, made by serve(). Each connection has a task of its own, in which its handler runs.

    As an async context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(
        self,
        handler: Callable[[Connection], Awaitable[object]],
        listener: Listener[Connection],
        requests: LoopRequests,
    ) -> None:
        BaseServer.__init__(self, listener)
        TaskServer.__init__(self, handler, cast("LoopMailbox", listener.mailbox).home)
        self._acceptor = asyncio.ensure_future(self._accept_all(requests))
        self._acceptors.append(self._acceptor)

    def is_serving(self) -> bool:
        """Return whether the server is open and accepts connections."""
        return super().is_serving() and not self._acceptor.done()

    def _on_closed(self) -> None:
        self._forget_tasks()

    def _turn_newcomers_away(self) -> None:
        self._is_draining = True

    async def _accept_all(self, requests: LoopRequests) -> None:
        with contextlib.suppress(NotRunningError):  # stopped
            async for request in requests:
                self._begin(request)
                del request  # while this waits for the next one it keeps nothing of this one

    def _begin(self, request: ConnectionRequest[Connection]) -> None:
        """Serve one client. Raises only what ends the loop."""
        try:
            if self._turns_away(request):
                return
            connection = self._listener.accept_or_drop(request, None)
            if connection is not None:
                self._start_handler(connection, BaseConnection.endpoint_of(connection))
        except NotRunningError:  # the acceptor sees it, too
            pass
        except Exception:
            _log.exception("closing %r: it could not be served", request.connection)
            BaseConnection.endpoint_of(request.connection).close(
                EndReason.INTERNAL_ERROR, "the server failed", linger=False
            )


class serve(AwaitableContext[Server]):  # noqa: N801 - it is used like a function
    """Start a server: ``await serve(...)``, or ``async with serve(...) as server``, for a Server.

    It accepts in the background and runs ``await handler(connection)`` in a task for each connection. When the handler
    returns, its connection is closed with 1000; when it raises, with 2001 INTERNAL_ERROR, and the exception is logged.
    A ConnectionClosed of its own connection just ends it.

    Args:
        handler: A coroutine function.
        host: See listen().
        port: See listen().
        config: See listen().
        limits: See listen().
        require_authentication: See listen().
        on_status_changed: See listen().

    Raises:
        ListenError: See listen().
        OSError: See listen().
        CertificateRefused: See listen().
        TypeError: The handler is not a coroutine function; see also listen().
        ValueError: See listen().

    Note:
        Native functions: ``CreateListenSocketIP``, ``CreateListenSocketP2P``, ``AcceptConnection``.
    """

    def __init__(
        self,
        handler: Callable[[Connection], Awaitable[object]],
        host: str | Rendezvous,
        port: int,
        *,
        config: Config | None = None,
        limits: ConnectionLimits | None = DEFAULT_LIMITS,
        require_authentication: bool | None = None,
        on_status_changed: StatusCallback | None = None,
    ) -> None:
        check_handler(handler)
        self._handler = handler
        self._open_listener = OpenListener(
            host, port, config, limits, on_status_changed, require_authentication=require_authentication
        )

    async def _open(self) -> Server:
        return Server(self._handler, *await self._open_listener())
