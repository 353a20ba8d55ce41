"""serve()."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .._core.callbacks import check_plain
from .._core.checks import StatusCallback
from .._core.connection import BaseConnection
from .._core.deadline import Deadline
from .._core.listener import Listener
from .._core.mailbox import Mailbox
from .._core.peers import Rendezvous
from .._core.request import ConnectionRequest
from .._core.server import BaseServer
from .._generated.enums import EndReason
from ..config import Config
from ..limits import DEFAULT_LIMITS, ConnectionLimits
from .connection import Connection
from .handlers import ThreadServer
from .listener import open_listener
from .requests import requests_of

_log = logging.getLogger("gns_py")


class Server(BaseServer[Connection], ThreadServer[Connection]):
    """A running server, made by serve(). Each connection has a thread of its own, in which its handler runs.

    As a context manager it is closed at the end, and its handlers have ended.
    """

    def __init__(self, handler: Callable[[Connection], None], listener: Listener[Connection]) -> None:
        BaseServer.__init__(self, listener)
        ThreadServer.__init__(self, handler, f"gns_py serve {self.address}")
        self._acceptor.start()

    def is_serving(self) -> bool:
        """Return whether the server is open and accepts connections."""
        return super().is_serving() and self._acceptor.is_alive()

    def _turn_newcomers_away(self) -> None:
        self._is_draining = True

    def _has_clients(self) -> bool:
        return bool(self.connections)

    def _is_finished(self) -> bool:
        return self._listener.is_closed

    def _accept_some(self) -> None:
        for request in requests_of(self._listener, Deadline(None)):
            self._begin(request)
            del request  # while this waits for the next one it keeps nothing of this one

    def _begin(self, request: ConnectionRequest[Connection]) -> None:
        if self._turns_away(request):
            return
        connection = self._listener.accept_or_drop(request, Mailbox())
        if connection is None:
            return
        try:
            endpoint = BaseConnection.endpoint_of(connection)
            self._start_handler(connection, endpoint, endpoint.peer)
        except RuntimeError:
            _log.exception("closing %r: there is no thread left for its handler", connection)
            connection.close(EndReason.INTERNAL_ERROR, "the server has no thread left for another connection")


def serve(
    handler: Callable[[Connection], None],
    host: str | Rendezvous,
    port: int,
    *,
    config: Config | None = None,
    limits: ConnectionLimits | None = DEFAULT_LIMITS,
    require_authentication: bool | None = None,
    on_status_changed: StatusCallback | None = None,
) -> Server:
    """Start a server and return it: it accepts in the background and runs ``handler(connection)`` in a thread for each.

    Each connection has a thread, so a handler that waits in recv() holds up no one else, and its code reads like the
    protocol it speaks. A connection and its thread take some 50 KiB: for thousands of them use listen() and poll().
    When the handler returns, its connection is closed with 1000; when it raises, with 2001 INTERNAL_ERROR, and the
    exception is logged. A ConnectionClosed of its own connection just ends it.

    Args:
        handler: A plain function; runs in the context (contextvars) of serve().
        host: See listen().
        port: See listen().
        config: See listen().
        limits: See listen().
        require_authentication: See listen().
        on_status_changed: See listen(); called in the thread that reads the connection.

    Raises:
        ListenError: See listen().
        OSError: See listen().
        CertificateRefused: See listen().
        TypeError: The handler is not a plain function; see also listen().
        ValueError: See listen().

    Note:
        Native functions: ``CreateListenSocketIP``, ``CreateListenSocketP2P``, ``AcceptConnection``.
    """
    check_plain("handler", handler)
    return Server(
        handler,
        open_listener(host, port, config, limits, on_status_changed, require_authentication=require_authentication),
    )
