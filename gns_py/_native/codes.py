"""Numbers of gns_core.h: events, flags, limits, and the error codes that callers compare with."""

from __future__ import annotations

from .._generated.enums import Result
from .library import lib

EVENT_STATUS: int = lib.GNS_EVENT_STATUS
EVENT_MESSAGE: int = lib.GNS_EVENT_MESSAGE
EVENT_DRAINED: int = lib.GNS_EVENT_DRAINED
EVENT_PONG: int = lib.GNS_EVENT_PONG
EVENT_SEND_FAILED: int = lib.GNS_EVENT_SEND_FAILED
EVENT_DATA: int = lib.GNS_EVENT_DATA
EVENT_ACK_DUE_DATA: int = lib.GNS_EVENT_ACK_DUE_DATA
EVENT_SIGNAL: int = lib.GNS_EVENT_SIGNAL
EVENT_ROUTE: int = lib.GNS_EVENT_ROUTE
SEND_RELIABLE: int = lib.GNS_SEND_RELIABLE
SEND_NO_NAGLE: int = lib.GNS_SEND_NO_NAGLE
SEND_NO_DELAY: int = lib.GNS_SEND_NO_DELAY
SEND_FRAMED: int = lib.GNS_SEND_FRAMED
SEND_WAITED: int = lib.GNS_SEND_WAITED
HOLD_NONE: int = lib.GNS_HOLD_NONE
HOLD_DATA: int = lib.GNS_HOLD_DATA
HOLD_ALL: int = lib.GNS_HOLD_ALL
HELD: int = lib.GNS_ERROR_HELD
TOO_LARGE: int = lib.GNS_ERROR_TOO_LARGE
FORKED: int = lib.GNS_ERROR_FORKED
LIMIT_EXCEEDED = -int(Result.LIMIT_EXCEEDED)
# The connection has ended or is closed here, or the runtime was stopped.
GONE = (lib.GNS_ERROR_BAD_HANDLE, lib.GNS_ERROR_NOT_RUNNING, -int(Result.NO_CONNECTION))
# The connection lives, but the message does not fit now, can never fit, or names a lane that does not exist.
NOT_TAKEN = (LIMIT_EXCEEDED, TOO_LARGE, -int(Result.INVALID_PARAM))
MAX_MESSAGE_SIZE: int = lib.GNS_MAX_MESSAGE_SIZE
MAX_END_TEXT: int = lib.GNS_MAX_END_TEXT
MAX_NAME: int = lib.GNS_MAX_NAME
MAX_LANES: int = lib.GNS_MAX_LANES
MAX_SIGNAL: int = lib.GNS_MAX_SIGNAL
END_TAKEN_OVER: int = lib.GNS_END_TAKEN_OVER
