"""The transport of a session: its connections, one after another, and its stream, which outlives them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from ... import _native
from ..._core.connection import BaseConnection
from ..._core.sending import SendingConnection
from ...errors import ConnectionClosed
from ..protocol.transport import Hold

_ANY = 1 << 40  # more than can be queued
_WAITED = _native.SEND_RELIABLE | _native.SEND_FRAMED | _native.SEND_WAITED


class ConnectionTransport:
    """Transport over connections. Frames sent after a connection has ended are discarded, except DATA that is kept."""

    def __init__(self, connection: SendingConnection) -> None:
        self._stream = 0
        self._sent: dict[int, int] = {}
        self._farewell: tuple[int, str] | None = None
        self.switch(connection)

    def __del__(self) -> None:
        if self._stream and not _native.is_forked():  # in a fork it is the parent's
            self.release()

    def switch(self, connection: SendingConnection) -> None:
        """Use this connection from now on; the engine has to know."""
        self._connection = connection
        self._endpoint = BaseConnection.endpoint_of(connection)
        self._handle = connection.handle

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
                self._endpoint.raise_error(number, size=len(payload), lane=lane)
            except ConnectionClosed:
                return None
        return number

    def sent(self) -> dict[int, int]:
        """See Transport."""
        numbers = _native.stream_sent(self._stream, self._endpoint.lanes)
        if numbers is not None:
            self._sent = {lane: number for lane, number in enumerate(numbers) if number}
        return self._sent.copy()

    def allow(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:
        """See Transport."""
        _native.stream_allow(self._stream, max_message, credit_bytes, credit_messages)

    def set_hold(self, hold: Hold) -> None:
        """See Transport."""
        _native.stream_hold(self._stream, hold)

    # ---- from one connection to the next ----

    def keep(self, max_bytes: int, max_messages: int) -> None:
        """See Transport."""
        with contextlib.suppress(_native.ConnectionGoneError):  # its end is in the mailbox; so in the next ones
            _native.stream_keep(self._stream, max_bytes, max_messages)

    def release_acked(self, handled: Mapping[int, int]) -> None:
        """See Transport."""
        _native.stream_acked(self._stream, _by_lane(handled))

    def count_kept(self) -> int:
        """See Transport."""
        return _native.stream_kept(self._stream)[1]

    def detach(self) -> None:
        """See Transport."""
        _native.stream_detach(self._stream)

    def close_later(self, code: int, text: str) -> None:
        """See Transport. The next event for which request_room_event() asks is behind all that has arrived."""
        self._farewell = code, text
        with contextlib.suppress(ConnectionClosed):
            self._endpoint.notify_drained(_ANY, _ANY)

    def say_farewell(self) -> None:
        """Close the connection if that was left for later: everything that has arrived was received."""
        farewell, self._farewell = self._farewell, None
        if farewell is not None:
            self.close(*farewell, False)

    def last_arrived(self) -> dict[int, int]:
        """See Transport."""
        return {lane: number for lane, number in enumerate(_native.stream_arrived(self._stream)) if number}

    def continue_from(
        self, sent: Mapping[int, int], arrived: Mapping[int, int], totals: tuple[int, int, int, int]
    ) -> None:
        """See Transport."""
        lanes = max((*sent, *arrived), default=-1) + 1
        out, back = ([each.get(lane, 0) for lane in range(lanes)] for each in (sent, arrived))
        with contextlib.suppress(_native.ConnectionGoneError):
            _native.stream_continue(self._stream, out, back, totals)

    def resume(self, handled: Mapping[int, int]) -> None:
        """See Transport."""
        with contextlib.suppress(_native.ConnectionGoneError):
            _native.stream_resume(self._stream, self._handle, _by_lane(handled))

    def replay(self) -> bool:
        """See Transport."""
        try:
            return _native.stream_replay(self._stream) == 0
        except _native.ConnectionGoneError:
            return False

    def release(self) -> None:
        """See Transport."""
        _native.stream_close(self._stream)
        self._stream = 0

    # ---- the connection ----

    def request_room_event(self) -> None:
        """See Transport. There is room when half of the send queue is free."""
        try:
            queue = self._endpoint.send_queue()
            self._endpoint.notify_drained(queue.max_bytes // 2, queue.max_segments // 2)
        except ConnectionClosed:
            return

    def outstanding(self) -> tuple[int, int]:
        """See Transport."""
        try:
            queue = self._endpoint.send_queue()
        except ConnectionClosed:
            return 0, 0
        return queue.bytes, queue.messages

    def close(self, code: int, text: str, linger: bool) -> None:
        """See Transport."""
        self._endpoint.close(code, text, linger=linger)


def _by_lane(numbers: Mapping[int, int]) -> list[int]:
    return [numbers.get(lane, 0) for lane in range(max(numbers, default=-1) + 1)]
