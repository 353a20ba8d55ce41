"""Messages in the frames of sessions. Nothing here raises: once a connection has ended, its frames do not matter."""

from __future__ import annotations

from .library import ffi, lib

# (connection, max_message, credit_bytes, credit_messages)
framing_begin = lib.gns_framing_begin
framing_allow = lib.gns_framing_allow
# (connection, held)
framing_hold = lib.gns_framing_hold
# (connection) -> time in microseconds or an error code
framing_heard = lib.gns_framing_heard


def framing_grant(connection: int, handled: int) -> tuple[int, int]:
    """Return how many bytes and messages may arrive, now that this many EVENT_ACK_DUE_DATA have been handled."""
    credit = ffi.new("int64_t[2]")
    lib.gns_framing_grant(connection, handled, credit, credit + 1)
    return credit[0], credit[1]


def framing_sent(connection: int, lanes: int) -> list[int] | None:
    """Return the number of the last DATA sent on each lane, or None once the connection has ended."""
    numbers = ffi.new("int64_t[]", lanes)
    return list(ffi.unpack(numbers, lanes)) if lib.gns_framing_sent(connection, numbers, lanes) >= 0 else None
