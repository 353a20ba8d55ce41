"""The library websockets, which is imported when it is needed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from websockets.asyncio.server import ServerConnection


def check() -> None:
    """Raise ImportError, with advice, unless the library is installed."""
    try:
        import websockets.asyncio  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "WebSocket signalling needs the library websockets, 14 or later: pip install 'gns-py[p2p]'"
        ) from error


def silent_logger() -> logging.Logger:
    """Return a logger that logs nothing: this package logs what matters, and noise of strangers does not."""
    return logging.Logger("gns_py.p2p.signalling.websockets", logging.CRITICAL + 1)


def counted_connection(
    admit: Callable[[ServerConnection], bool], gone: Callable[[ServerConnection], object], max_unsent: int
) -> type[ServerConnection]:
    """Return a class of connections that are counted from the first byte on.

    Args:
        admit: Called with a new connection; False ends it at once.
        gone: Called when one that was admitted has ended.
        max_unsent: The bytes that may wait to be sent: the library answers pings whether the peer reads or not.
    """
    from websockets.asyncio.server import ServerConnection

    class CountedConnection(ServerConnection):
        _admitted = False

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self._admitted = admit(self)
            if not self._admitted:
                self.transport.abort()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.transport.get_write_buffer_size() > max_unsent:
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if self._admitted:
                self._admitted = False
                gone(self)

    return CountedConnection
