"""Every exception of gns_py.

GNSError
├── NotRunningError (RuntimeError)          the runtime was stopped
├── ForkedError (RuntimeError)              used in a forked child
├── InitializationError (OSError, RuntimeError)   GNS did not start
├── InvalidStateError (RuntimeError)        impossible in the current state of the object
├── ConcurrencyError (RuntimeError)         two readers at once
├── ListenError (OSError)                   the port is taken, the address is not this machine's
├── SocketError (OSError)                   the system has no socket for it: no descriptor, no such address family
├── ConnectionLimitError (OSError)          8,191 connections in this process
├── ConfigError (ValueError)                an option that does not exist there, or is locked
├── CertificateRefused (ValueError)         a certificate or key that cannot be presented or trusted
├── MessageTooLarge (ValueError)            can never be sent
├── SendQueueFull                           not now: wait with drain()
├── MessageDropped                          no_delay, and it could not be sent at once
└── ConnectionClosed (ConnectionError)      the connection has ended: see .end
    ├── ConnectionClosedOK                  normally
    └── ConnectionClosedError               by a fault, a timeout, a broken network
        └── ConnectFailed                   before it was established
            └── ConnectTimeout (TimeoutError)
"""

from __future__ import annotations

from typing import Any

from ._generated.enums import EndReason, Result
from .end import ConnectionEnd


class GNSError(Exception):
    """The base class of all exceptions that gns_py defines."""

    result: Result | None = None
    """GNS's own result, if it caused the exception."""


class NotRunningError(GNSError, RuntimeError):
    """The runtime was stopped, by stop() or because the interpreter is exiting."""


class ForkedError(GNSError, RuntimeError):
    """This process is a fork of the one that started the runtime; GNS does not work here. Start a new one instead."""


class InitializationError(GNSError, OSError, RuntimeError):
    """GNS did not start, and no part of it is running; the message comes from GNS.

    If the system refused something, a thread for example, ``errno`` and ``strerror`` are set, and a later start() may
    succeed.
    """


class InvalidStateError(GNSError, RuntimeError):
    """The object cannot do this in its current state."""


class ConcurrencyError(GNSError, RuntimeError):
    """Two threads or tasks are reading the same connection or listen socket."""


class ListenError(GNSError, OSError):
    """The socket could not be opened.

    If the system refused it, because the port is taken for example, ``errno`` and ``strerror`` are set; otherwise the
    message comes from GNS.
    """


class SocketError(GNSError, OSError):
    """The system refused a socket or a descriptor to wait with: ``errno`` and ``strerror`` say why.

    EMFILE and ENFILE mean that no descriptor is left, EAFNOSUPPORT that this machine lacks the address family.
    """


class ConnectionLimitError(GNSError, OSError):
    """The process has as many connections as GNS supports, 8,191; ``errno`` is EAGAIN.

    Inbound connections closed in the last 5 seconds still count.
    """


class ConfigError(GNSError, ValueError):
    """The option does not exist at this scope, or can no longer be changed."""


class CertificateRefused(GNSError, ValueError):
    """A certificate or a key cannot be presented, or trusted; the message says which check failed. Nothing changed."""


class MessageTooLarge(GNSError, ValueError):
    """The message can never be sent: it is over 512 KiB, or over the connection's send_buffer_size.

    ``sent`` is the number of messages that a send_many() accepted before this one; they will be delivered.
    """

    sent: int = 0


class SendQueueFull(GNSError):
    """The peer is not receiving messages as fast as they are sent: wait with drain(). The message was not queued.

    ``sent`` is the number of messages that a send_many() accepted before this one; they will be delivered.
    """

    sent: int = 0

    result = Result.LIMIT_EXCEEDED


class MessageDropped(GNSError):
    """The message was sent with no_delay while the connection could not send at once."""

    result = Result.IGNORED


class ConnectionClosed(GNSError, ConnectionError):
    """The connection has ended; ``end`` says which side ended it, why, and whether trying again can help."""

    def __init__(self, end: ConnectionEnd) -> None:
        super().__init__(str(end))
        self.end = end

    def __reduce__(self) -> tuple[type[ConnectionClosed], tuple[ConnectionEnd], dict[str, Any]]:
        return type(self), (self.end,), self.__dict__  # with the notes

    @property
    def code(self) -> int:
        """The number of the end reason."""
        return self.end.code

    @property
    def text(self) -> str:
        """The text of the end."""
        return self.end.text


class ConnectionClosedOK(ConnectionClosed):
    """The connection was closed normally: by either end, with a code from 1000 to 1999."""


class ConnectionClosedError(ConnectionClosed):
    """The connection ended by a fault at either end, a timeout or a broken network."""


class ConnectFailed(ConnectionClosedError):
    """The connection ended before it was established: it was refused, or the peer uses another protocol."""


class ConnectTimeout(ConnectFailed, TimeoutError):
    """No one answered or accepted in time."""


def closed_error(end: ConnectionEnd) -> ConnectionClosed:
    """Return the exception for a connection that has ended."""
    return ConnectionClosedOK(end) if end.ok else ConnectionClosedError(end)


def connect_error(end: ConnectionEnd) -> ConnectFailed:
    """Return the exception for a connection that ended before it was established."""
    return ConnectTimeout(end) if end.code == EndReason.MISC_TIMEOUT else ConnectFailed(end)
