"""Requests of clients that want to connect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from .._generated.enums import EndReason
from .connection import BaseConnection
from .sending import C


@dataclass(frozen=True, slots=True)
class ConnectionRequest(Generic[C]):
    """A client wants to connect: its connection changed from NONE to CONNECTING, and waits for accept() or reject().

    If it is neither accepted nor rejected, both ends time out after ``timeout_initial``.
    """

    connection: C
    """Not established yet. Messages that are sent on it now arrive if the request is accepted."""

    def accept(self) -> C:
        """Accept and return the connection. Its events keep going where this request came from.

        Raises:
            ConnectionClosed: The client has given up.
            InvalidStateError: The request was accepted before.

        Note:
            Native function: ``AcceptConnection``.
        """
        BaseConnection.endpoint_of(self.connection).accept(None)
        return self.connection

    def reject(self, code: int = EndReason.APP_GENERIC, text: str = "") -> None:
        """Reject the connection: the client's connect() fails with this code and text.

        Raises:
            TypeError: See Connection.close().
            ValueError: See Connection.close().

        Note:
            Native function: ``CloseConnection``.
        """
        BaseConnection.endpoint_of(self.connection).close(code, text, linger=False)
