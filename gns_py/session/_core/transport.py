"""The native connection under an engine."""

from __future__ import annotations

from ... import _native
from ..._core.endpoint import Endpoint
from ...errors import ConnectionClosed
from ..protocol.transport import Hold

_WAITED = _native.SEND_RELIABLE | _native.SEND_FRAMED | _native.SEND_WAITED


class ConnectionTransport:
    """An engine's Transport. What a connection that has ended does not take is gone with it."""

    def __init__(self, connection: Endpoint) -> None:
        self._connection = connection
        self._handle = connection.handle
        self._sent: dict[int, int] = {}

    def begin(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:
        """DATA and UNTRACKED come to Sink._on_data() from now on."""
        _native.framing_begin(self._handle, max_message, credit_bytes, credit_messages)

    def grant(self, handled: int) -> tuple[int, int]:
        """Bytes and messages that this end takes now, as so many of those that were due have been handled."""
        return _native.framing_grant(self._handle, handled)

    def silence(self) -> float:
        """Seconds since the last message came."""
        heard_us = _native.framing_heard(self._handle)
        return 0.0 if heard_us < 0 else (_native.time_us() - heard_us) / 1e6

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:
        """Errors: SendQueueFull, MessageTooLarge."""
        try:
            return self._connection.send(message, reliable=reliable, nagle=nagle, lane=lane)
        except ConnectionClosed:
            return 0

    def send_data(self, payload: bytes, lane: int, nagle: bool) -> int | None:
        """Errors: SendQueueFull, MessageTooLarge."""
        flags = _WAITED | (0 if nagle else _native.SEND_NO_NAGLE)
        number: int = _native.send(self._handle, payload, len(payload), flags, lane)
        if number == _native.HELD:
            return None
        if number < 0:
            try:
                self._connection._raise(number, size=len(payload), lane=lane)
            except ConnectionClosed:
                return self._sent.get(lane, 0)
        return number

    def sent(self) -> dict[int, int]:
        """The number of the last DATA that was sent, for each lane that has one."""
        numbers = _native.framing_sent(self._handle, self._connection._lanes)
        if numbers is not None:
            self._sent = {lane: number for lane, number in enumerate(numbers) if number}
        return self._sent.copy()

    def allow(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:
        """What the peer takes."""
        _native.framing_allow(self._handle, max_message, credit_bytes, credit_messages)

    def set_hold(self, hold: Hold) -> None:
        """What does not come by send_data() is refused from now on."""
        _native.framing_hold(self._handle, hold)

    def request_room_event(self) -> None:
        """Asks for Sink._on_room() when half of the send queue is free."""
        connection = self._connection
        try:
            queue = connection.send_queue()
        except ConnectionClosed:
            return
        _native.notify_drained(connection.handle, queue.max_bytes // 2, queue.max_segments // 2)

    def outstanding(self) -> tuple[int, int]:
        """Bytes and messages that are queued, or not acknowledged by the peer's GNS."""
        queue = _native.send_queue(self._handle)
        return (0, 0) if isinstance(queue, int) else (queue.bytes, queue.messages)

    def close(self, code: int, text: str, linger: bool) -> None:
        """Ends the connection."""
        self._connection._close(code, text, linger=linger)
