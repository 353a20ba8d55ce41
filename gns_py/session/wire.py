"""The native connection under an engine."""

from __future__ import annotations

from .. import _native
from ..endpoint import Endpoint
from ..errors import ConnectionClosed


class ConnectionWire:
    """An engine's Wire."""

    def __init__(self, connection: Endpoint) -> None:
        self._connection = connection

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:
        """What a connection that has ended does not take is gone with it. Errors: SendQueueFull."""
        try:
            return self._connection.send(message, reliable=reliable, nagle=nagle, lane=lane)
        except ConnectionClosed:
            return 0

    def tell_room(self) -> None:
        """Asks for Sink.on_room() when half of the send queue is free."""
        connection = self._connection
        try:
            queue = connection.send_queue()
        except ConnectionClosed:
            return
        _native.notify_drained(connection.handle, queue.max_bytes // 2, queue.max_segments // 2)

    def close(self, code: int, text: str, linger: bool) -> None:
        """Ends the connection."""
        self._connection._close(code, text, linger=linger)
