"""The transport of a session: the connection under an engine."""

from __future__ import annotations

from ... import _native
from ..._core.connection import BaseConnection
from ..._core.sending import SendingConnection
from ...errors import ConnectionClosed
from ..protocol.transport import Hold

_WAITED = _native.SEND_RELIABLE | _native.SEND_FRAMED | _native.SEND_WAITED


class ConnectionTransport:
    """Transport over a connection. Frames sent after the connection has ended are discarded."""

    def __init__(self, connection: SendingConnection) -> None:
        self._connection = connection
        self._connection_endpoint = BaseConnection.endpoint_of(connection)
        self._handle = connection.handle
        self._stream = 0
        self._sent: dict[int, int] = {}

    def __del__(self) -> None:
        """Forget the stream."""
        if self._stream:
            _native.stream_close(self._stream)

    def begin(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:
        """See Transport. DATA and UNTRACKED go to Sink.on_data() from now on."""
        self._stream = _native.stream_open(self._handle, max_message, credit_bytes, credit_messages)

    def grant(self, handled: int) -> tuple[int, int]:
        """See Transport."""
        return _native.stream_grant(self._stream, handled)

    def silence(self) -> float:
        """See Transport."""
        heard_us = _native.stream_heard(self._stream)
        return 0.0 if heard_us < 0 else (_native.time_us() - heard_us) / 1e6

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:
        """See Transport."""
        try:
            return self._connection.send(message, reliable=reliable, nagle=nagle, lane=lane)
        except ConnectionClosed:
            return 0

    def send_data(self, payload: bytes, lane: int, nagle: bool) -> int | None:
        """See Transport."""
        flags = _WAITED | (0 if nagle else _native.SEND_NO_NAGLE)
        number: int = _native.send(self._handle, payload, len(payload), flags, lane)
        if number == _native.HELD:
            return None
        if number < 0:
            try:
                self._connection_endpoint.raise_error(number, size=len(payload), lane=lane)
            except ConnectionClosed:
                return self._sent.get(lane, 0)
        return number

    def sent(self) -> dict[int, int]:
        """See Transport."""
        numbers = _native.stream_sent(self._stream, self._connection_endpoint.lanes)
        if numbers is not None:
            self._sent = {lane: number for lane, number in enumerate(numbers) if number}
        return self._sent.copy()

    def allow(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:
        """See Transport."""
        _native.stream_allow(self._stream, max_message, credit_bytes, credit_messages)

    def set_hold(self, hold: Hold) -> None:
        """See Transport."""
        _native.stream_hold(self._stream, hold)

    def request_room_event(self) -> None:
        """See Transport. There is room when half of the send queue is free."""
        try:
            queue = self._connection_endpoint.send_queue()
            self._connection_endpoint.notify_drained(queue.max_bytes // 2, queue.max_segments // 2)
        except ConnectionClosed:
            return

    def outstanding(self) -> tuple[int, int]:
        """See Transport."""
        try:
            queue = self._connection_endpoint.send_queue()
        except ConnectionClosed:
            return 0, 0
        return queue.bytes, queue.messages

    def close(self, code: int, text: str, linger: bool) -> None:
        """See Transport."""
        self._connection_endpoint.close(code, text, linger=linger)
