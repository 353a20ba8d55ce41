"""Exceptions for the error codes of the core."""

from __future__ import annotations

import os
import sys

from .._generated.enums import Result
from .._printable import printable
from ..errors import (
    CertificateRefused,
    ConfigError,
    ForkedError,
    GNSError,
    InvalidStateError,
    MessageDropped,
    MessageTooLarge,
    NotRunningError,
    SendQueueFull,
    SocketError,
)
from .codes import GONE, LIMIT_EXCEEDED
from .library import ffi, lib


class ConnectionGoneError(Exception):
    """The connection has ended or is closed here, or the runtime was stopped.

    Never reaches the user: the caller knows the connection's end and raises that.
    """


EXCEPTIONS: dict[int, type[Exception]] = {
    lib.GNS_ERROR_NOT_RUNNING: NotRunningError,
    lib.GNS_ERROR_FORKED: ForkedError,
    lib.GNS_ERROR_BAD_HANDLE: InvalidStateError,
    lib.GNS_ERROR_TOO_LARGE: MessageTooLarge,
    lib.GNS_ERROR_RUNNING: InvalidStateError,
    lib.GNS_ERROR_NO_MEMORY: MemoryError,
    lib.GNS_ERROR_UNKNOWN_OPTION: ConfigError,
    lib.GNS_ERROR_WRONG_SCOPE: ConfigError,
    lib.GNS_ERROR_WRONG_TYPE: ConfigError,
    lib.GNS_ERROR_LOCKED: ConfigError,
    lib.GNS_ERROR_RESERVED: ConfigError,
    lib.GNS_ERROR_BAD_TEXT: ValueError,
    lib.GNS_ERROR_BAD_REASON: ValueError,
    lib.GNS_ERROR_BAD_IDENTITY: ValueError,
    lib.GNS_ERROR_BAD_VALUE: ValueError,
    lib.GNS_ERROR_HELD: SendQueueFull,
    lib.GNS_ERROR_CERTIFICATE: CertificateRefused,
    lib.GNS_ERROR_NO_IDENTITY: InvalidStateError,
    lib.GNS_ERROR_BAD_SIGNAL: ValueError,
    -int(Result.INVALID_PARAM): ValueError,
    -int(Result.INVALID_STATE): InvalidStateError,
    -int(Result.DUPLICATE_REQUEST): InvalidStateError,
    LIMIT_EXCEEDED: SendQueueFull,
    -int(Result.IGNORED): MessageDropped,
}


def exception_for(code: int) -> Exception:
    """Return the exception for an error code that the core has just returned on this thread."""
    if code == lib.GNS_ERROR_SYSTEM:
        return SocketError(*_system_error(lib.gns_last_error_number()))
    lines = ffi.string(lib.gns_last_error_text()).decode(errors="replace").strip("\n")
    text = printable(lines.replace("\n", "; "))  # it may contain a peer's identity
    exception = EXCEPTIONS.get(code, GNSError)(text or f"error {code}")
    if isinstance(exception, GNSError) and -1000 < code < 0:
        exception.result = Result(-code)
    return exception


def _system_error(number: int) -> tuple[int, str]:
    """Return errno and strerror for an error number of the system."""
    if sys.platform == "win32":
        import ctypes  # Pythons elsewhere may lack it

        return OSError(0, "", None, number).errno or 0, ctypes.FormatError(number)
    return number, os.strerror(number)


def check(result: int) -> int:
    """Return the result, or raise if it is an error code."""
    if result < 0:
        raise exception_for(result)
    return result


def check_connection(result: int) -> int:
    """Return the result of a function about a connection, or raise: ConnectionGoneError if the connection is gone."""
    if result in GONE:
        raise ConnectionGoneError
    return check(result)
