"""What has arrived and the application has not taken yet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from ..message import Message
from .frames import Ack
from .reasons import CloseReason
from .violation import Violation

# The peer is told when so large a part of the first credit was handled since it was told last.
_ACK_PART = 4


class Inbox:
    """Messages in the order of their arrival. Reliable ones are bounded by credit, unreliable ones by dropping."""

    def __init__(self, max_message: int, credit_bytes: int, credit_messages: int, max_unreliable: int) -> None:
        self._max_message = max_message
        self._window_bytes = credit_bytes
        self._window_messages = credit_messages
        self._max_unreliable = max_unreliable
        self._arrivals = 0
        self._waiting: OrderedDict[int, Message] = OrderedDict()
        self._unreliable: OrderedDict[int, bytes | None] = OrderedDict()
        self._keyed: dict[bytes, int] = {}
        self._received: dict[int, int] = {}
        self._handled: dict[int, int] = {}
        self._received_bytes = 0
        self._received_messages = 0
        self._handled_bytes = 0
        self._handled_messages = 0
        self._acked_messages = 0
        self._limit_bytes = credit_bytes
        self._limit_messages = credit_messages
        self._ack_at_bytes = credit_bytes / _ACK_PART
        self._ack_at_messages = credit_messages / _ACK_PART
        self.is_ack_due = False
        """Whether so much was handled that the peer must know."""
        self.dropped = 0
        """Unreliable messages that newer ones have pushed out, those with the same key not counted."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add_data(self, message: Message) -> None:
        """A DATA frame's message, with its sequence number. Errors: Violation."""
        data, sequence, lane, _, _ = message
        expected = self._received.get(lane, 0) + 1
        if sequence != expected:
            raise Violation(
                f"message {sequence} of lane {lane} came where {expected} was expected", CloseReason.LOST_MESSAGES
            )
        size = len(data)
        self._check_size(size)
        # The last one may go over the limit; and lanes overtake each other, so it need not be the last one to come.
        if (
            self._received_bytes + size >= self._limit_bytes + self._max_message
            or self._received_messages >= self._limit_messages
        ):
            raise Violation("a message came without credit", CloseReason.MESSAGE_QUEUE_LIMIT_REACHED)
        self._received[lane] = sequence
        self._received_bytes += size
        self._received_messages += 1
        self._arrivals += 1
        self._waiting[self._arrivals] = message

    def add_unreliable(self, message: Message, key: bytes | None = None) -> None:
        """An UNTRACKED or KEYED frame's message. Errors: Violation."""
        self._check_size(len(message.data) + len(key or b""))
        self._arrivals += 1
        arrival = self._arrivals
        if key is not None:
            old = self._keyed.get(key)
            if old is not None:
                waiting = self._waiting[old]
                if waiting.lane == message.lane and waiting.number > message.number:
                    return  # the network has changed their order
                self._drop(old)
            self._keyed[key] = arrival
        if len(self._unreliable) >= self._max_unreliable:
            self.dropped += 1
            self._drop(next(iter(self._unreliable)))
        self._waiting[arrival] = message
        self._unreliable[arrival] = key

    def take(self) -> Message | None:
        """The next message, which is handled with that; None: there is none."""
        if not self._waiting:
            return None
        arrival, message = self._waiting.popitem(last=False)
        if message.reliable:
            self._handled[message.lane] = message.number
            self._handled_bytes += len(message.data)
            self._handled_messages += 1
            self.is_ack_due = (
                self._handled_messages >= self._ack_at_messages or self._handled_bytes >= self._ack_at_bytes
            )
        else:
            self._forget(arrival)
        return message

    def clear(self) -> None:
        """Drops what waits; none of it counts as handled."""
        self._waiting.clear()
        self._unreliable.clear()
        self._keyed.clear()

    def has_all(self, last: Mapping[int, int]) -> bool:
        """Whether all up to these numbers has arrived. Errors: Violation, if more has."""
        for lane, sequence in self._received.items():
            if sequence > last.get(lane, 0):
                raise Violation(f"message {sequence} of lane {lane} came after the last one", CloseReason.LOST_MESSAGES)
        return self._received == last

    @property
    def is_ack_pending(self) -> bool:
        """Whether something was handled that the peer does not know of."""
        return self._handled_messages > self._acked_messages

    def ack(self) -> Ack:
        """What the peer is to know; it counts as known from now on."""
        self.is_ack_due = False
        self._acked_messages = self._handled_messages
        self._limit_bytes = self._handled_bytes + self._window_bytes
        self._limit_messages = self._handled_messages + self._window_messages
        self._ack_at_bytes = self._handled_bytes + self._window_bytes / _ACK_PART
        self._ack_at_messages = self._handled_messages + self._window_messages / _ACK_PART
        return Ack(dict(self._handled), self._limit_bytes, self._limit_messages)

    def _check_size(self, size: int) -> None:
        if size > self._max_message:
            raise Violation(
                f"a message of {size} bytes came, {self._max_message} are the most", CloseReason.MESSAGE_TOO_LARGE
            )

    def _drop(self, arrival: int) -> None:
        del self._waiting[arrival]
        self._forget(arrival)

    def _forget(self, arrival: int) -> None:
        key = self._unreliable.pop(arrival)
        if key is not None:
            del self._keyed[key]
