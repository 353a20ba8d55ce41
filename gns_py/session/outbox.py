"""What was sent and the native connection has not got yet, for want of credit or of room."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import NoReturn

from ..errors import MessageTooLarge, SendQueueFull
from .frames import Ack, Keyed, Untracked, data_prefix
from .violation import Violation

Send = Callable[[bytes, int, bool, bool], int]
"""Message, lane, reliable, nagle -> message number. Errors: SendQueueFull."""


class Outbox:
    """Reliable messages wait in their order, bounded; unreliable ones wait for room, and the oldest give way."""

    def __init__(self, send: Send, max_bytes: int, max_messages: int, max_unreliable: int) -> None:
        self._send = send
        self._max_bytes = max_bytes
        self._max_messages = max_messages
        self._max_unreliable = max_unreliable
        self._max_message = 0
        self._is_open = False
        self._credit_bytes = 0
        self._credit_messages = 0
        self._waiting: deque[tuple[int, bytes, int, bool]] = deque()
        self._waiting_bytes = 0
        self._unreliable: OrderedDict[bytes | int, tuple[bytes, int, bool]] = OrderedDict()
        self._unreliable_count = 0
        self._sent_bytes = 0
        self._sent_messages = 0
        self._numbers: dict[int, int] = {}  # the last one of each lane, waiting ones counted
        self._acked: Mapping[int, int] = {}
        self._is_full_below = False
        self.last: dict[int, int] = {}
        """The sequence number of the last DATA that was sent, for each lane."""
        self.dropped = 0
        """Unreliable messages that newer ones have pushed out, those with the same key not counted."""

    def limit(self, max_message: int) -> None:
        """The longest message that the peer takes."""
        self._max_message = max_message

    def open(self, credit_bytes: int, credit_messages: int) -> None:
        """What the peer takes at first. Before this everything waits."""
        self._is_open = True
        self._credit_bytes = credit_bytes
        self._credit_messages = credit_messages

    @property
    def waiting(self) -> tuple[int, int]:
        """Bytes and messages, reliable ones, that wait here."""
        return self._waiting_bytes, len(self._waiting)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here."""
        return not (self._waiting or self._unreliable)

    @property
    def waits_for_room(self) -> bool:
        """Whether something waits that needs no credit, but room in the native queue."""
        return self._is_full_below and not self.is_empty

    def put(self, payload: bytes, lane: int, nagle: bool) -> int:
        """Takes a reliable message; returns its sequence number. Errors: SendQueueFull, MessageTooLarge."""
        if len(payload) > self._max_message:
            self._refuse_size(len(payload))
        sequence = self._numbers.get(lane, 0) + 1
        if not self._waiting and self._has_credit and self._put_below(sequence, payload, lane, nagle):
            self._numbers[lane] = sequence
            return sequence
        if len(self._waiting) >= self._max_messages or (
            self._waiting and self._waiting_bytes + len(payload) > self._max_bytes
        ):
            raise SendQueueFull(
                "the send queue is full: the peer does not take messages as fast as they are sent; wait with drain()"
            )
        self._waiting.append((sequence, payload, lane, nagle))
        self._waiting_bytes += len(payload)
        self._numbers[lane] = sequence
        return sequence

    def put_unreliable(self, payload: bytes, lane: int, nagle: bool, key: bytes | None) -> int:
        """Takes an unreliable message; returns GNS's number of it, 0 while it waits. Errors: MessageTooLarge."""
        if len(payload) + len(key or b"") > self._max_message:
            self._refuse_size(len(payload) + len(key or b""))
        message = (Untracked(payload) if key is None else Keyed(key, payload)).encode()
        if key is not None:
            self._unreliable.pop(key, None)
        if self._is_open and not self._unreliable:
            try:
                return self._send(message, lane, False, nagle)
            except SendQueueFull:
                self._is_full_below = True
        elif len(self._unreliable) >= self._max_unreliable:
            self._unreliable.popitem(last=False)
            self.dropped += 1
        self._unreliable_count += 1
        self._unreliable[self._unreliable_count if key is None else key] = message, lane, nagle
        return 0

    def acked(self, ack: Ack) -> None:
        """What the peer has handled, and what it takes. Errors: Violation."""
        for lane in self._acked.keys() | ack.handled.keys():
            handled = ack.handled.get(lane, 0)
            if handled > self.last.get(lane, 0):
                raise Violation(f"message {handled} of lane {lane} was acked before it was sent")
            if handled < self._acked.get(lane, 0):
                raise Violation(f"message {handled} of lane {lane} was acked after a later one")
        if ack.credit_bytes < self._credit_bytes or ack.credit_messages < self._credit_messages:
            raise Violation("the credit fell")
        self._acked = ack.handled
        self._credit_bytes = ack.credit_bytes
        self._credit_messages = ack.credit_messages

    def flush(self) -> None:
        """Sends what there is credit and room for."""
        self._is_full_below = False
        while self._waiting and self._has_credit:
            sequence, payload, lane, nagle = self._waiting[0]
            if not self._put_below(sequence, payload, lane, nagle):
                return
            self._waiting.popleft()
            self._waiting_bytes -= len(payload)
        while self._unreliable:
            key, (message, lane, nagle) = next(iter(self._unreliable.items()))
            try:
                self._send(message, lane, False, nagle)
            except SendQueueFull:
                self._is_full_below = True
                return
            del self._unreliable[key]

    def clear(self) -> None:
        """Drops what waits."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._unreliable.clear()

    @property
    def _has_credit(self) -> bool:
        return self._sent_bytes < self._credit_bytes and self._sent_messages < self._credit_messages

    def _put_below(self, sequence: int, payload: bytes, lane: int, nagle: bool) -> bool:
        try:
            self._send(data_prefix(sequence) + payload, lane, True, nagle)
        except SendQueueFull:
            self._is_full_below = True
            return False
        self.last[lane] = sequence
        self._sent_bytes += len(payload)
        self._sent_messages += 1
        return True

    def _refuse_size(self, size: int) -> NoReturn:
        raise MessageTooLarge(f"the peer takes messages of {self._max_message} bytes, not of {size}")
