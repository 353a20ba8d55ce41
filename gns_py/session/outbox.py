"""What was sent and the native connection has not got yet, for want of credit or of room."""

from __future__ import annotations

from collections import OrderedDict, deque
from enum import IntEnum
from typing import Protocol

from .. import _native
from ..errors import MessageTooLarge, SendQueueFull
from .frames import Ack, Keyed, Untracked
from .violation import Violation


class Held(IntEnum):
    """Which messages must wait here, though an application's thread would send them by itself."""

    NONE = _native.HOLD_NONE
    DATA = _native.HOLD_DATA
    ALL = _native.HOLD_ALL


class Wire(Protocol):
    """The native connection, as far as an outbox needs it: it numbers DATA, and keeps to the credit."""

    def send(self, message: bytes, lane: int, reliable: bool, nagle: bool) -> int:
        """Sends a frame; returns GNS's number of it. Errors: SendQueueFull, MessageTooLarge."""

    def send_data(self, payload: bytes, lane: int, nagle: bool) -> int | None:
        """Sends DATA; its number, None if there is no credit. Errors: SendQueueFull, MessageTooLarge."""

    def sent(self) -> dict[int, int]:
        """The number of the last DATA that was sent, for each lane that has one."""

    def allow(self, max_message: int, credit_bytes: int, credit_messages: int) -> None:
        """What the peer takes. Before the first call, it takes nothing."""

    def hold(self, held: Held) -> None:
        """What comes by other ways than this one is refused from now on."""


class Outbox:
    """Reliable messages wait in their order, bounded; unreliable ones wait for room, and the oldest give way."""

    def __init__(self, wire: Wire, max_bytes: int, max_messages: int, max_unreliable: int) -> None:
        self._wire = wire
        self._max_bytes = max_bytes
        self._max_messages = max_messages
        self._max_unreliable = max_unreliable
        self._max_message = 0
        self._is_open = False
        self._is_closed = False
        self._credit_bytes = 0
        self._credit_messages = 0
        self._waiting: deque[tuple[bytes, int, bool]] = deque()
        self._waiting_bytes = 0
        self._numbers: dict[int, int] = {}  # while something waits: the last one of each lane
        self._unreliable: OrderedDict[bytes | int, tuple[bytes, int, bool]] = OrderedDict()
        self._unreliable_count = 0
        self._acked: dict[int, int] = {}
        self._is_full_below = False
        self.dropped = 0
        """Unreliable messages that newer ones have pushed out, those with the same key not counted."""

    def limit(self, max_message: int) -> None:
        """The longest message that the peer takes."""
        self._max_message = max_message

    def open(self, credit_bytes: int, credit_messages: int) -> None:
        """What the peer takes at first. Before this everything waits."""
        self._is_open = True
        self._allow(credit_bytes, credit_messages)

    def close(self) -> None:
        """Nothing is sent any more but what waits."""
        self._is_closed = True
        self._wire.hold(Held.ALL)

    @property
    def waiting(self) -> tuple[int, int]:
        """Bytes and messages, reliable ones, that wait here."""
        return self._waiting_bytes, len(self._waiting)

    @property
    def has_unreliable(self) -> bool:
        """Whether unreliable messages wait here."""
        return bool(self._unreliable)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here."""
        return not (self._waiting or self._unreliable)

    @property
    def waits_for_room(self) -> bool:
        """Whether something waits that needs no credit, but room in the native queue."""
        return self._is_full_below and not self.is_empty

    def check_size(self, payload: bytes, key: bytes | None) -> None:
        """Whether the peer takes so long a message. Errors: MessageTooLarge."""
        size = len(payload) + len(key or b"")
        if size > self._max_message:
            raise MessageTooLarge(f"the peer takes messages of {self._max_message} bytes, not of {size}")

    def put(self, payload: bytes, lane: int, nagle: bool) -> int:
        """Takes a reliable message; returns its sequence number. Errors: SendQueueFull, MessageTooLarge."""
        if not self._waiting:
            self._wire.hold(Held.DATA)  # nobody else sends, from here on
            try:
                number = self._send(payload, lane, nagle)
            except MessageTooLarge:
                self._wire.hold(Held.NONE)
                raise
            if number is not None:
                self._wire.hold(Held.NONE)
                return number
            self._numbers = self._wire.sent()
        elif len(self._waiting) >= self._max_messages or self._waiting_bytes + len(payload) > self._max_bytes:
            raise SendQueueFull(
                "the send queue is full: the peer does not take messages as fast as they are sent; wait with drain()"
            )
        self._waiting.append((payload, lane, nagle))
        self._waiting_bytes += len(payload)
        self._numbers[lane] = self._numbers.get(lane, 0) + 1
        return self._numbers[lane]

    def put_unreliable(self, payload: bytes, lane: int, nagle: bool, key: bytes | None) -> int:
        """Takes an unreliable message; returns GNS's number of it, 0 while it waits. Errors: MessageTooLarge."""
        message = (Untracked(payload) if key is None else Keyed(key, payload)).encode()
        if self._is_open and not self._unreliable:
            try:
                return self._wire.send(message, lane, False, nagle)
            except SendQueueFull:
                self._is_full_below = True
        elif len(self._unreliable) >= self._max_unreliable and key not in self._unreliable:
            self._unreliable.popitem(last=False)
            self.dropped += 1
        self._unreliable_count += 1
        self._unreliable[self._unreliable_count if key is None else key] = message, lane, nagle
        return 0

    def acked(self, ack: Ack) -> None:
        """What the peer has handled, and what it takes. Errors: Violation."""
        sent = self._wire.sent()
        for lane in self._acked.keys() | ack.handled.keys():
            handled = ack.handled.get(lane, 0)
            if handled > sent.get(lane, 0):
                raise Violation(f"message {handled} of lane {lane} was acked before it was sent")
            if handled < self._acked.get(lane, 0):
                raise Violation(f"message {handled} of lane {lane} was acked after a later one")
        if ack.credit_bytes < self._credit_bytes or ack.credit_messages < self._credit_messages:
            raise Violation("the credit fell")
        self._acked = dict(ack.handled)
        self._allow(ack.credit_bytes, ack.credit_messages)

    def flush(self) -> None:
        """Sends what there is credit and room for. Errors: MessageTooLarge."""
        self._is_full_below = False
        if self._waiting:
            while self._waiting:
                payload, lane, nagle = self._waiting[0]
                if self._send(payload, lane, nagle) is None:
                    break
                self._waiting.popleft()
                self._waiting_bytes -= len(payload)
            else:
                if not self._is_closed:
                    self._wire.hold(Held.NONE)
        while self._unreliable and not self._is_full_below:
            key, (message, lane, nagle) = next(iter(self._unreliable.items()))
            try:
                self._wire.send(message, lane, False, nagle)
            except SendQueueFull:
                self._is_full_below = True
            else:
                del self._unreliable[key]

    def clear(self) -> None:
        """Drops what waits."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._unreliable.clear()

    def _allow(self, credit_bytes: int, credit_messages: int) -> None:
        self._credit_bytes = credit_bytes
        self._credit_messages = credit_messages
        self._wire.allow(self._max_message, credit_bytes, credit_messages)

    def _send(self, payload: bytes, lane: int, nagle: bool) -> int | None:
        try:
            return self._wire.send_data(payload, lane, nagle)
        except SendQueueFull:
            self._is_full_below = True
            return None
