"""Every exception of gns_py, and the one place where native results and end reasons become exceptions.

GNSError
├── NotRunningError (RuntimeError)          the runtime was stopped
├── ForkedError (RuntimeError)              used in a forked child
├── InitializationError (OSError, RuntimeError)   GNS did not start
├── InvalidStateError (RuntimeError)        not possible in the state that the object is in
├── ConcurrencyError (RuntimeError)         two readers at once
├── ListenError (OSError)                   the port is taken, the address is not this machine's
├── SocketError (OSError)                   the system has no socket for it: no descriptor, no such address family
├── ConnectionLimitError (OSError)          8,191 connections in this process
├── ConfigError (ValueError)                an option that does not exist there, or is locked
├── MessageTooLarge (ValueError)            can never be sent
├── SendQueueFull                           not now: wait with drain()
├── MessageDropped                          no_delay, and it could not be sent at once
└── ConnectionClosed (ConnectionError)      the connection has ended: see .end
    ├── ConnectionClosedOK                  in the normal course of events
    └── ConnectionClosedError               by a fault, a timeout, a broken network
        └── ConnectFailed                   before it was ever connected
            └── ConnectTimeout (TimeoutError)
"""

from __future__ import annotations

from typing import Any

from ._generated.enums import EndReason, Result
from .end import ConnectionEnd


class GNSError(Exception):
    """The base of all exceptions that are gns_py's own."""

    result: Result | None = None
    """GNS's own result where one is behind the exception."""


class NotRunningError(GNSError, RuntimeError):
    """The runtime was stopped, by stop() or because the interpreter exits."""


class ForkedError(GNSError, RuntimeError):
    """This process is a fork of the one that started the runtime: GNS does not work here. Start a fresh process."""


class InitializationError(GNSError, OSError, RuntimeError):
    """GNS did not start, and nothing of it runs; the text is its own.

    ``errno`` and ``strerror``: where it was the system that refused, a thread for example; a later start() may go well.
    """


class InvalidStateError(GNSError, RuntimeError):
    """The object cannot do this in the state that it is in."""


class ConcurrencyError(GNSError, RuntimeError):
    """Two threads or tasks read the same connection or listen socket at once."""


class ListenError(GNSError, OSError):
    """The address cannot be listened on.

    ``errno`` and ``strerror``: where it was the system that refused, as it does when the port is taken; else the text
    is GNS's own.
    """


class SocketError(GNSError, OSError):
    """The system does not give a socket, or what one is waited for with: ``errno`` and ``strerror`` say why.

    EMFILE and ENFILE: no descriptor is left; EAFNOSUPPORT: this machine has no such address family.
    """


class ConnectionLimitError(GNSError, OSError):
    """The process has as many connections as GNS can have: 8,191; ``errno`` is EAGAIN.

    Inbound ones that were closed in the last 5 seconds are among them.
    """


class ConfigError(GNSError, ValueError):
    """The option does not exist at this scope or cannot be changed any more."""


class MessageTooLarge(GNSError, ValueError):
    """The message can never be sent: it is over 512 KiB, or over the connection's send_buffer_size.

    ``sent`` tells how many messages of a send_many() were taken before; they are on their way.
    """

    sent: int = 0


class SendQueueFull(GNSError):
    """The peer does not take what is sent as fast as it is sent: drain() waits until there is room. Nothing was queued.

    ``sent`` tells how many messages of a send_many() were taken before; they are on their way.
    """

    sent: int = 0

    result = Result.LIMIT_EXCEEDED


class MessageDropped(GNSError):
    """Sent with no_delay while the connection could not send at once."""

    result = Result.IGNORED


class ConnectionClosed(GNSError, ConnectionError):
    """The connection has ended; ``end`` says who ended it, why, and whether trying again can help."""

    def __init__(self, end: ConnectionEnd) -> None:
        super().__init__(str(end))
        self.end = end

    def __reduce__(self) -> tuple[type[ConnectionClosed], tuple[ConnectionEnd], dict[str, Any]]:
        return type(self), (self.end,), self.__dict__  # notes, too

    @property
    def code(self) -> int:
        """The end reason's number."""
        return self.end.code

    @property
    def text(self) -> str:
        """What whoever ended it said."""
        return self.end.text


class ConnectionClosedOK(ConnectionClosed):
    """Closed in the normal course of events: by either end, with a code from 1000 to 1999."""


class ConnectionClosedError(ConnectionClosed):
    """Ended by a fault at either end, a timeout, a broken network."""


class ConnectFailed(ConnectionClosedError):
    """The connection ended before it was connected: refused, or the peer speaks something else."""


class ConnectTimeout(ConnectFailed, TimeoutError):
    """Nobody answered, or nobody accepted, in time."""


def closed_error(end: ConnectionEnd) -> ConnectionClosed:
    """The exception for a connection that has ended."""
    return ConnectionClosedOK(end) if end.ok else ConnectionClosedError(end)


def connect_error(end: ConnectionEnd) -> ConnectFailed:
    """The exception for a connection that ended before it was connected."""
    return ConnectTimeout(end) if end.code == EndReason.MISC_TIMEOUT else ConnectFailed(end)
