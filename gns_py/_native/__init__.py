"""The only part of gns_py that calls the native core (build_native/core/gns_core.h) and knows of cffi.

Everything here takes and returns Python's own types; an error of the core becomes an exception in one place, check().
Handles are ints. Calls release the GIL; each may be made from any thread.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, NamedTuple

from .._generated.enums import ConfigScope, ConfigType, ConfigValue, ConnectionState, InfoFlags, LogLevel, Result
from .._printable import printable
from .._uncopyable import Uncopyable
from ..address import Address
from ..config import Config, OptionValue
from ..errors import (
    ConfigError,
    ConnectionLimitError,
    ForkedError,
    GNSError,
    InitializationError,
    InvalidStateError,
    MessageDropped,
    MessageTooLarge,
    NotRunningError,
    SendQueueFull,
    SocketError,
)
from ..limits import ConnectionLimits, LimitCounters
from ..stats import ConnectionInfo, ConnectionStatus, LaneStatus, Sample, SendQueue
from .library import ffi, lib

EVENT_STATUS: int = lib.GNS_EVENT_STATUS
EVENT_MESSAGE: int = lib.GNS_EVENT_MESSAGE
EVENT_DRAINED: int = lib.GNS_EVENT_DRAINED
EVENT_PONG: int = lib.GNS_EVENT_PONG
EVENT_SEND_FAILED: int = lib.GNS_EVENT_SEND_FAILED
EVENT_DATA: int = lib.GNS_EVENT_DATA
EVENT_DUE_DATA: int = lib.GNS_EVENT_DUE_DATA
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
BAD_HANDLE: int = lib.GNS_ERROR_BAD_HANDLE
NOT_RUNNING: int = lib.GNS_ERROR_NOT_RUNNING
FORKED: int = lib.GNS_ERROR_FORKED
NO_CONNECTION = -int(Result.NO_CONNECTION)
LIMIT_EXCEEDED = -int(Result.LIMIT_EXCEEDED)
# Of a connection that lives: the message does not fit now, or ever, or there is no such lane.
NOT_TAKEN = (LIMIT_EXCEEDED, TOO_LARGE, -int(Result.INVALID_PARAM))
MAX_MESSAGE_SIZE: int = lib.GNS_MAX_MESSAGE_SIZE
MAX_END_TEXT: int = lib.GNS_MAX_END_TEXT
MAX_NAME: int = lib.GNS_MAX_NAME
MAX_LANES: int = lib.GNS_MAX_LANES

_EXCEPTIONS: dict[int, type[Exception]] = {
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
    -int(Result.INVALID_PARAM): ValueError,
    -int(Result.INVALID_STATE): InvalidStateError,
    LIMIT_EXCEEDED: SendQueueFull,
    -int(Result.IGNORED): MessageDropped,
}


def error(code: int) -> Exception:
    """The exception for an error code that a function of the core has just returned on this thread."""
    if code == lib.GNS_ERROR_SYSTEM:
        return SocketError(*_system_error(lib.gns_last_error_number()))
    lines = ffi.string(lib.gns_last_error_text()).decode(errors="replace").strip("\n")
    text = printable(lines.replace("\n", "; "))  # it may have a peer's identity in it
    exception = _EXCEPTIONS.get(code, GNSError)(text or f"error {code}")
    if isinstance(exception, GNSError) and -1000 < code < 0:
        exception.result = Result(-code)
    return exception


def _system_error(number: int) -> tuple[int, str]:
    """errno and strerror for a number of the system's."""
    if sys.platform == "win32":
        import ctypes  # not every Python elsewhere has it

        return OSError(0, "", None, number).errno or 0, ctypes.FormatError(number)
    return number, os.strerror(number)


def check(result: int) -> int:
    """A result of the core, unless it is an error: that is raised."""
    if result < 0:
        raise error(result)
    return result


# ---- about the library ---------------------------------------------------------------------------------------------


class BuildInfo(NamedTuple):
    """What the native library is made of."""

    version: str
    gns_version: str
    protobuf_version: str
    crypto: str
    mode: str
    build_type: str
    compiler: str
    platform: str


def build_info() -> BuildInfo:
    """What the native library that is loaded is made of. Any thread, starts nothing."""
    info = lib.gns_build()
    return BuildInfo(*(ffi.string(getattr(info, field)).decode() for field in BuildInfo._fields))


def time_us() -> int:
    return int(lib.gns_time_us())


# ---- life cycle ------------------------------------------------------------------------------------------------------


def start(identity: str) -> bool:
    """Whether this call started it."""
    data = identity.encode()
    result = lib.gns_start(data, len(data))
    if result in (lib.GNS_ERROR_NATIVE, lib.GNS_ERROR_SYSTEM):
        raise InitializationError(*error(result).args)
    return check(result) == 0


def stop(linger_us: int) -> None:
    check(lib.gns_stop(linger_us))


def is_lingering() -> bool:
    """Whether closed connections are still delivering."""
    return bool(lib.gns_lingering() > 0)


def is_running() -> bool:
    return check(lib.gns_running()) == 1


def is_forked() -> bool:
    """Whether this process is a fork of the one that started it."""
    return bool(lib.gns_running() == FORKED)


def identity() -> str:
    out = ffi.new("char[128]")
    check(lib.gns_identity(out))
    return _text(out)


# ---- mailboxes -----------------------------------------------------------------------------------

# Like ffi.new(), without filling the memory with zeros.
_new_buffer = ffi.new_allocator(should_clear_after_alloc=False)
# gns_event, field by field.
_EVENT = struct.Struct("=QqqQIiiiiHH")
assert _EVENT.size == ffi.sizeof("gns_event")


# connection, number, time_us, offset, size, kind, old_state, new_state, code, lane, flags
Record = tuple[int, int, int, int, int, int, int, int, int, int, int]


class MailboxReader(Uncopyable):
    """The reading end of a native mailbox, with the buffers that a batch is copied into.

    One thread at a time, except wake(). The buffers keep a batch from receive() until the next one: a KeyboardInterrupt
    that comes just when the native call returns loses nothing.
    """

    __slots__ = ("_batch", "_capacity", "_events", "_lent", "_max_events", "_payload", "fresh", "handle", "payloads")

    def __init__(self) -> None:
        handle = ffi.new("uint64_t *")
        check(lib.gns_mailbox_create(handle))
        self.handle: int = handle[0]
        self._batch = ffi.new("gns_batch *")
        self.fresh = False
        """Whether nobody has looked at the batch in the buffers."""
        self._grow(64, 8 * 1024)

    def _grow(self, max_events: int, capacity: int) -> None:
        self._max_events = max_events
        self._capacity = capacity
        self._events = ffi.new("gns_event[]", max_events)
        self._renew()

    def _renew(self) -> None:
        self._payload = _new_buffer("char[]", self._capacity)
        self.payloads = ffi.buffer(self._payload)
        """The messages of the batch, where their records say: slicing it copies."""
        self._lent = False

    def destroy(self) -> None:
        if lib is not None:  # Nuitka's modules lose their names before their objects, at the exit
            lib.gns_mailbox_destroy(self.handle)

    def hold(self) -> None:
        """Has messages count against their connections' bounds until handled()."""
        check(lib.gns_mailbox_hold(self.handle))

    def descriptor(self) -> int:
        """What is readable while events wait: a file descriptor, on Windows a socket; the core's to close."""
        return check(lib.gns_mailbox_fd(self.handle))

    def notify(self, descriptor: int) -> None:
        """Has a byte sent to a socket, the caller's, when events begin to wait."""
        check(lib.gns_mailbox_notify(self.handle, descriptor))

    def wake(self) -> None:
        check(lib.gns_mailbox_wake(self.handle))

    def receive(self, timeout_us: int) -> int:
        """Waits for events and fills the buffers: how many there are, 0 at the timeout."""
        if self._lent:
            self._renew()
        # A busy mailbox is worth larger buffers, an idle one is not.
        if self._batch.more and self._max_events < 1024:
            self._grow(1024, max(self._capacity, 256 * 1024))
        self._batch.events = 0
        self.fresh = True
        while True:
            result: int = lib.gns_mailbox_receive(
                self.handle, timeout_us, self._events, self._max_events, self._payload, self._capacity, self._batch
            )
            if result != lib.GNS_ERROR_BUFFER_TOO_SMALL:
                return check(result)
            self._grow(self._max_events, self._batch.payload)

    def records(self) -> deque[Record]:
        """The batch in the buffers."""
        return deque(_EVENT.iter_unpack(ffi.buffer(self._events, self._batch.events * _EVENT.size)))

    def lend(self, offset: int, size: int) -> memoryview:
        """A message in the buffers: they are left to it, and others take their place."""
        self._lent = True
        return memoryview(self.payloads)[offset : offset + size].toreadonly()

    @property
    def events(self) -> int:
        """How many events the batch has."""
        return int(self._batch.events)

    @property
    def more(self) -> bool:
        """Whether more events were waiting."""
        return bool(self._batch.more)

    @property
    def logs(self) -> bool:
        """Whether log records were waiting."""
        return bool(self._batch.logs)


# (connection, messages, bytes): of a mailbox that holds
handled = lib.gns_connection_handled


# ---- sockets and connections ---------------------------------------------------------------------


def listen(mailbox: int, address: Address, config: Config, limits: ConnectionLimits | None) -> int:
    native = ffi.NULL if limits is None else _limits(limits)
    return _make(lib.gns_listen, mailbox, address, config.options_for(ConfigScope.LISTEN_SOCKET), native)


def listen_counters(listen_socket: int) -> LimitCounters | int:
    counters = ffi.new("gns_limit_counters *")
    result: int = lib.gns_listen_counters(listen_socket, counters)
    return result or LimitCounters(*(getattr(counters, field) for field in LimitCounters._fields))


def connect(mailbox: int, address: Address, config: Config) -> int:
    return _make(lib.gns_connect, mailbox, address, config.options_for(ConfigScope.CONNECTION))


def _make(
    function: Any, mailbox: int, address: Address, options: list[tuple[ConfigValue, OptionValue]], *more: Any
) -> int:
    handle = ffi.new("uint64_t *")
    native, keep = _options(options)
    result = function(mailbox, _address(address), native, len(options), *more, handle)
    del keep
    if result == LIMIT_EXCEEDED:
        raise _limit_error()
    check(result)
    return int(handle[0])


def _limits(limits: ConnectionLimits) -> Any:
    native = ffi.new("gns_limits *")
    for field in fields(limits):
        value = getattr(limits, field.name)
        setattr(native, field.name, lib.GNS_NO_LIMIT if value is None else value)
    return native


def _limit_error() -> ConnectionLimitError:
    return ConnectionLimitError(errno.EAGAIN, "this process has as many connections as GNS can have")


def listen_close(listen_socket: int, code: int, text: bytes, linger: bool) -> int:
    return int(lib.gns_listen_close(listen_socket, code, text, len(text), linger))


def accept(connection: int, mailbox: int) -> int:
    return int(lib.gns_accept(connection, mailbox))


def move(connection: int, mailbox: int) -> int:
    return int(lib.gns_connection_move(connection, mailbox))


def close(connection: int, code: int, text: bytes, linger: bool) -> int:
    return int(lib.gns_close(connection, code, text, len(text), linger))


def socket_pair(mailbox_a: int, mailbox_b: int, network: bool, identity_a: str, identity_b: str) -> tuple[int, int]:
    handles = ffi.new("uint64_t[2]")
    a, b = identity_a.encode(), identity_b.encode()
    result = lib.gns_socket_pair(mailbox_a, mailbox_b, network, a, len(a), b, len(b), handles, handles + 1)
    if result == LIMIT_EXCEEDED:
        raise _limit_error()
    check(result)
    return handles[0], handles[1]


# ---- sending -------------------------------------------------------------------------------------

# (connection, data, size, flags, lane) -> number or error: called as it is, because it is called most.
send = lib.gns_send


def send_many(connection: int, data: Any, sizes: Sequence[int], flags: int, lane: int) -> tuple[int, int, int]:
    """How many were taken (or an error), the first one's number, and the error of the one after them, or 0.

    data: the messages, one after another.
    """
    first, failed = ffi.new("int64_t *"), ffi.new("int32_t *")
    taken: int = lib.gns_send_many(connection, data, sizes, len(sizes), flags, lane, first, failed)
    return taken, first[0], failed[0]


def broadcast(connections: Sequence[int], data: Any, size: int, flags: int, lane: int) -> list[int]:
    """Each one's message number, or error."""
    results = ffi.new("int64_t[]", len(connections))
    check(lib.gns_broadcast(connections, len(connections), data, size, flags, lane, results))
    return list(ffi.unpack(results, len(connections)))


def readable(data: Any) -> Any:
    """Any buffer as what the core takes; its len() is in bytes. TypeError: not one, or not contiguous.

    To be released, by release() or as a context manager, before an exception can leave: that would keep it, and so the
    buffer locked; and CPython crashes when it collects a memoryview that something else than another one looks into.
    """
    if isinstance(data, str):
        raise TypeError("a message is bytes, not str: encode it")
    try:
        return ffi.from_buffer(data)
    except (TypeError, BufferError, ValueError):
        raise TypeError(f"a message is bytes or another contiguous buffer, not {type(data).__name__}") from None


release = ffi.release


def flush(connection: int) -> int:
    return int(lib.gns_flush(connection))


def configure_lanes(connection: int, priorities: Sequence[int], weights: Sequence[int]) -> int:
    return int(lib.gns_configure_lanes(connection, len(priorities), priorities, weights))


def send_queue(connection: int) -> SendQueue | int:
    queue = ffi.new("gns_send_queue *")
    result: int = lib.gns_connection_send_queue(connection, queue)
    return result or SendQueue(queue.bytes, queue.messages, queue.segments, queue.max_bytes, queue.max_segments)


# (connection, timeout_us, max_bytes, max_segments) -> 1, 0 at the timeout, or error
wait_drained = lib.gns_connection_wait_drained
# (connection, max_bytes, max_segments) -> 0 or error; an EVENT_DRAINED follows
notify_drained = lib.gns_connection_notify_drained


# ---- sessions: messages in frames; of a connection that has ended, nothing matters any more ------

# (connection, max_message, credit_bytes, credit_messages)
framing_begin = lib.gns_framing_begin
framing_allow = lib.gns_framing_allow
# (connection, held)
framing_hold = lib.gns_framing_hold
# (connection) -> time_us or error
framing_heard = lib.gns_framing_heard


def framing_grant(connection: int, handled: int) -> tuple[int, int]:
    """Bytes and messages that may come now, as so many of those that were due have been handled."""
    credit = ffi.new("int64_t[2]")
    lib.gns_framing_grant(connection, handled, credit, credit + 1)
    return credit[0], credit[1]


def framing_sent(connection: int, lanes: int) -> list[int] | None:
    """Each lane's last number; None once the connection has ended."""
    numbers = ffi.new("int64_t[]", lanes)
    return list(ffi.unpack(numbers, lanes)) if lib.gns_framing_sent(connection, numbers, lanes) >= 0 else None


# ---- about a connection --------------------------------------------------------------------------

# (connection) -> state or error
state = lib.gns_connection_state
# (connection, timeout_us) -> 1, 0 at the timeout, or error
wait_ended = lib.gns_connection_wait_ended


def info(connection: int) -> ConnectionInfo | int:
    """The error's code where there is one: what it means depends on what the caller knows."""
    out = ffi.new("gns_connection_info *")
    result: int = lib.gns_connection_info_get(connection, out)
    return result or _info(out)


def read_info(payload: bytes) -> tuple[ConnectionInfo, int]:
    """A status event's payload; and the listen socket that the connection came in by, or 0."""
    native = ffi.from_buffer("gns_connection_info *", payload)
    return _info(native), native.listen_socket


def status(connection: int, lanes: int) -> tuple[ConnectionStatus, list[LaneStatus]] | int:
    out = ffi.new("gns_connection_status *")
    lane_out = ffi.new("gns_lane_status[]", lanes)
    result: int = lib.gns_connection_status_get(connection, out, lanes, lane_out)
    if result:
        return result
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


# (connection) -> 0 or error; an EVENT_PONG follows
ping = lib.gns_connection_ping
# (connection, timeout_us, int64_t *round_trip_us) -> 1, 0 at the timeout, or error
wait_pong = lib.gns_connection_wait_pong


def new_int64() -> Any:
    """Where a number is written to: [0] of it."""
    return ffi.new("int64_t *")


def start_history(connection: int, interval_us: int, capacity: int) -> int:
    return int(lib.gns_connection_history_start(connection, interval_us, capacity))


def history(connection: int, capacity: int) -> list[Sample] | int:
    out = _new_buffer("gns_sample[]", capacity)
    count: int = lib.gns_connection_history(connection, out, capacity)
    return count if count < 0 else [Sample(each.time_us, _status(each.status)) for each in out[0:count]]


def details(connection: int) -> str | int:
    size = 8 * 1024
    while True:
        out = ffi.new("char[]", size)
        result: int = lib.gns_connection_details(connection, out, size)
        if result != lib.GNS_ERROR_BUFFER_TOO_SMALL:
            return result if result < 0 else _text(out)
        size *= 2


def set_name(connection: int, name: bytes) -> int:
    return int(lib.gns_connection_set_name(connection, name, len(name)))


def get_name(connection: int) -> str | int:
    out = ffi.new("char[]", MAX_NAME + 1)
    result: int = lib.gns_connection_get_name(connection, out, MAX_NAME + 1)
    return result or _text(out)


def set_user_data(connection: int, user_data: int) -> int:
    return int(lib.gns_connection_set_user_data(connection, user_data))


# ---- configuration -------------------------------------------------------------------------------


def set_options(scope: ConfigScope, handle: int, config: Config) -> int:
    """The first error, or 0."""
    if not isinstance(config, Config):
        raise TypeError(f"config must be a Config, not {type(config).__name__}")
    options = config.options_for(scope)
    native, keep = _options(options)
    for index in range(len(options)):
        result = _about(options[index][0], lib.gns_config_set(scope, handle, native + index))
        if result < 0:
            return result
    del keep
    return 0


def reset_option(scope: ConfigScope, handle: int, option: ConfigValue) -> int:
    _check_option(option)
    return _about(option, lib.gns_config_reset(scope, handle, option))


def get_option(scope: ConfigScope, handle: int, option: ConfigValue) -> tuple[int, OptionValue]:
    """An error or not, and the value."""
    _check_option(option)
    out = ffi.new("gns_option *")
    size = 1024
    while True:
        text = ffi.new("char[]", size)
        result: int = lib.gns_config_get(scope, handle, option, out, text, size)
        if result != lib.GNS_ERROR_BUFFER_TOO_SMALL:
            break
        size *= 2
    _about(option, result)
    match out.type:
        case ConfigType.STRING:
            return result, _text(text)
        case ConfigType.FLOAT:
            return result, float(out.real)
        case _:
            return result, int(out.integer)


def has_option(option: ConfigValue) -> bool:
    """Whether this build knows it."""
    kind, scope = ffi.new("int32_t *"), ffi.new("int32_t *")
    return bool(lib.gns_config_info(option, kind, scope) != ffi.NULL)


def _about(option: ConfigValue, result: int) -> int:
    """The result, unless the option is what is wrong: that is raised here, where its name is known."""
    if _EXCEPTIONS.get(result) is ConfigError:
        raise ConfigError(f"{option.option_name}: {error(result)}")
    return result


def _check_option(option: ConfigValue) -> None:
    if not isinstance(option, ConfigValue):
        raise TypeError(f"option must be a ConfigValue, not {type(option).__name__}")


def _options(options: list[tuple[ConfigValue, OptionValue]]) -> tuple[Any, list[Any]]:
    """A gns_option array, and what must stay alive as long as it is used."""
    native = ffi.new("gns_option[]", len(options))
    keep = []
    for out, (option, value) in zip(native, options, strict=True):
        out.value, out.type = option, option.type
        if isinstance(value, str):
            keep.append(ffi.new("char[]", value.encode()))
            out.string = keep[-1]
        elif isinstance(value, float):
            out.real = value
        else:
            out.integer = value
    return native, keep


# ---- log -----------------------------------------------------------------------------------------


class LogRecord(NamedTuple):
    """A line of GNS's log."""

    time_us: int
    level: LogLevel
    text: str


def set_log_level(level: LogLevel) -> None:
    check(lib.gns_log_set_level(level))


def receive_logs() -> tuple[list[LogRecord], int]:
    """The lines that wait, oldest first, and how many were lost before."""
    out, dropped = ffi.new("gns_log_record[]", 32), ffi.new("int64_t *")
    lines: list[LogRecord] = []
    lost = 0
    while True:
        count = check(lib.gns_log_receive(out, len(out), dropped))
        lost += dropped[0]
        lines += [LogRecord(line.time_us, LogLevel(line.level), _text(line.text)) for line in out[0:count]]
        if count < len(out):
            return lines, lost


# ---- values --------------------------------------------------------------------------------------


def _address(address: Address) -> Any:
    out = ffi.new("gns_address *")
    out.ip = address.packed
    out.port = address.port
    return out


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
    return ConnectionInfo(
        ConnectionState(native.state),
        Address.from_packed(packed, port) if port or any(packed) else None,
        _text(native.identity),
        _text(native.description),
        native.end_reason,
        _text(native.end_text),
        InfoFlags(native.flags),
        native.user_data,
    )


def _text(native: Any) -> str:
    return str(ffi.string(native).decode(errors="replace"))


def _known(value: Any) -> Any:
    return None if value < 0 else value


def _queue_time(value: int) -> int | None:
    return None if value == 2**63 - 1 else value
