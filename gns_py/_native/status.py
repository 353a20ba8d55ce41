"""The state, measurements and names of a connection."""

from __future__ import annotations

from typing import Any

from .._generated.enums import ConnectionState, InfoFlags
from ..address import Address
from ..route import Route
from ..stats import ConnectionInfo, ConnectionStatus, LaneStatus, Sample
from .codes import MAX_NAME
from .failures import check_connection
from .library import ffi, lib
from .text import new_buffer, text_of

# (connection) -> state or an error code
state = lib.gns_connection_state
# (connection, timeout_us) -> 1, 0 at the timeout, or an error code
wait_ended = lib.gns_connection_wait_ended


def info(connection: int) -> ConnectionInfo:
    """Return what is known about a connection."""
    out = ffi.new("gns_connection_info *")
    check_connection(lib.gns_connection_info_get(connection, out))
    return _info(out)


def read_info(payload: bytes) -> tuple[ConnectionInfo, int]:
    """Return the payload of a status event, and the listen socket that the connection arrived at or 0."""
    native = ffi.from_buffer("gns_connection_info *", payload)
    return _info(native), native.listen_socket


def get_status(connection: int, lanes: int) -> tuple[ConnectionStatus, list[LaneStatus]]:
    """Return the measurements of a connection and of its first `lanes` lanes."""
    out = ffi.new("gns_connection_status *")
    lane_out = ffi.new("gns_lane_status[]", lanes)
    check_connection(lib.gns_connection_status_get(connection, out, lanes, lane_out))
    return (
        _status(out),
        [
            LaneStatus(
                lane.pending_unreliable,
                lane.pending_reliable,
                lane.sent_unacked_reliable,
                _queue_time(lane.queue_time_us),
            )
            for lane in lane_out
        ],
    )


def ping(connection: int) -> None:
    """Request one EVENT_PONG."""
    check_connection(lib.gns_connection_ping(connection))


# (connection, timeout_us, new_int64() for the round trip in microseconds) -> 1, 0 at the timeout, or an error code
wait_pong = lib.gns_connection_wait_pong


def new_int64() -> Any:
    """Return memory for a number that the core writes; read it with [0]."""
    return ffi.new("int64_t *")


def start_history(connection: int, interval_us: int, capacity: int) -> None:
    """Record the status every `interval_us` microseconds and keep the last `capacity` samples; 0 stops it."""
    check_connection(lib.gns_connection_history_start(connection, interval_us, capacity))


def history(connection: int, capacity: int) -> list[Sample]:
    """Return the last `capacity` samples, oldest first."""
    out = new_buffer("gns_sample[]", capacity)
    count = check_connection(lib.gns_connection_history(connection, out, capacity))
    return [Sample(each.time_us, _status(each.status)) for each in out[0:count]]


def details(connection: int) -> str:
    """Return GNS's own report on a connection."""
    size = 8 * 1024
    while True:
        out = ffi.new("char[]", size)
        result: int = lib.gns_connection_details(connection, out, size)
        if result != lib.GNS_ERROR_BUFFER_TOO_SMALL:
            check_connection(result)
            return text_of(out)
        size *= 2


def set_name(connection: int, name: bytes) -> None:
    """Set the name that GNS's log lines show."""
    check_connection(lib.gns_connection_set_name(connection, name, len(name)))


def get_name(connection: int) -> str:
    """Return the name that GNS's log lines show."""
    out = ffi.new("char[]", MAX_NAME + 1)
    check_connection(lib.gns_connection_get_name(connection, out, MAX_NAME + 1))
    return text_of(out)


def set_user_data(connection: int, user_data: int) -> None:
    """Set the number that the application keeps with a connection."""
    check_connection(lib.gns_connection_set_user_data(connection, user_data))


def _status(native: Any) -> ConnectionStatus:
    return ConnectionStatus(
        ConnectionState(native.state),
        _known(native.ping_ms),
        _known(native.quality_local),
        _known(native.quality_remote),
        native.out_packets_per_second,
        native.out_bytes_per_second,
        native.in_packets_per_second,
        native.in_bytes_per_second,
        native.send_rate,
        native.pending_unreliable,
        native.pending_reliable,
        native.sent_unacked_reliable,
        _queue_time(native.queue_time_us),
        _known(native.max_jitter_us),
    )


def _info(native: Any) -> ConnectionInfo:
    packed, port = bytes(native.remote_address.ip), native.remote_address.port
    key = bytes(native.peer_key)
    return ConnectionInfo(
        ConnectionState(native.state),
        Address.from_packed(packed, port) if port or any(packed) else None,
        text_of(native.identity),
        text_of(native.description),
        native.end_reason,
        text_of(native.end_text),
        InfoFlags(native.flags),
        native.user_data,
        bool(native.authenticated),
        key if any(key) else None,
        native.peer_key_expires or None,
        Route(native.route),
        native.virtual_port if native.virtual_port >= 0 else None,
    )


def _known(value: Any) -> Any:
    return None if value < 0 else value


def _queue_time(value: int) -> int | None:
    return None if value == 2**63 - 1 else value
