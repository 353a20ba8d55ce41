"""The part that the servers of all APIs share. Nothing in here waits."""

from __future__ import annotations

from .._generated.enums import EndReason
from .listen_socket import ListenerView
from .listener import Listener
from .request import ConnectionRequest
from .sending import C


class BaseServer(ListenerView[C]):
    """A port whose connections each have a handler."""

    def __init__(self, listener: Listener[C]) -> None:
        super().__init__(listener)
        self._is_draining = False

    def __repr__(self) -> str:
        state = "closed" if not self.is_serving() else "draining" if self._is_draining else "serving"
        return f"<{type(self).__module__}.{type(self).__name__} {self.address} {state}>"

    def is_serving(self) -> bool:
        """Return whether the server is open and accepts connections."""
        return not self._listener.is_closed

    def close(self, code: int = EndReason.GOING_AWAY, text: str = "", *, linger: bool = True) -> None:
        """Close the port and each connection, which ends handlers that wait. Any thread.

        Returns at once: wait_closed() waits for the handlers.

        Args:
            code: See Connection.close().
            text: See Connection.close().
            linger: See Connection.close().

        Raises:
            TypeError: See Connection.close().
            ValueError: See Connection.close().
        """
        self._listener.close(code, text, linger=linger)
        self._on_closed()

    def _on_closed(self) -> None:
        """Do what an API adds to close()."""

    def _turns_away(self, request: ConnectionRequest[C]) -> bool:
        """Reject a client that arrives while the server drains, and return whether it was rejected."""
        if self._is_draining:
            request.reject(EndReason.GOING_AWAY, "the server is closing")
        return self._is_draining
