"""What has arrived and the application has not taken yet."""

from __future__ import annotations

import threading
from collections import deque

from ..message import Message
from .frames import Ack

# The peer is told when so large a part of the first credit was handled since it was told last.
_ACK_PART = 4


class _Unreliable:
    """The place of an unreliable message among the others, which it loses to a newer one."""

    __slots__ = ("key", "message")

    def __init__(self, message: Message, key: bytes | None) -> None:
        self.message: Message | None = message
        self.key = key


class Inbox:
    """Messages in the order of their arrival. Reliable ones are bounded by credit, unreliable ones by dropping.

    One thread adds, another one may take.
    """

    def __init__(self, credit_bytes: int, credit_messages: int, max_unreliable: int) -> None:
        self._window_bytes = credit_bytes
        self._window_messages = credit_messages
        self._max_unreliable = max_unreliable
        self._lock = threading.Lock()  # a leaf; not for appending to the right, which is atomic
        self._waiting: deque[Message | _Unreliable] = deque()
        self.add = self._waiting.append
        """Takes a reliable message, with its sequence number."""
        self._unreliable: deque[_Unreliable] = deque()  # in their order; who has lost the place may be there still
        self._keyed: dict[bytes, _Unreliable] = {}
        self._unreliable_count = 0
        self._lost_places = 0
        self._handled: dict[int, int] = {}
        # Bytes and messages in one number, so that there is only one to count and to compare.
        self._message_weight = -(-credit_bytes // credit_messages)
        self._handled_weight = 0
        self._acked_weight = 0
        self._news_at = 1
        self.has_news = False
        """Whether Engine.handled() must hear of what was taken: something after an ack, or enough for the next."""
        self.dropped = 0
        """Unreliable messages that newer ones have pushed out, those with the same key not counted."""

    def __len__(self) -> int:
        return len(self._waiting) - self._lost_places

    def add_unreliable(self, message: Message, key: bytes | None = None) -> None:
        """Takes an unreliable message."""
        place = _Unreliable(message, key)
        with self._lock:
            old = None if key is None else self._keyed.get(key)
            if old is not None and old.message is not None:
                if old.message.lane == message.lane and old.message.number > message.number:
                    return  # the network has changed their order
                self._drop(old)
            if self._unreliable_count >= self._max_unreliable:
                self.dropped += 1
                self._drop(self._oldest())
            if self._lost_places > self._max_unreliable:
                self._close_ranks()
            if key is not None:
                self._keyed[key] = place
            self._unreliable_count += 1
            self._unreliable.append(place)
            self._waiting.append(place)

    def take(self) -> Message | None:
        """The next message, which is handled with that; None: there is none."""
        with self._lock:
            while self._waiting:
                message = self._waiting.popleft()
                if type(message) is Message:
                    self._handled[message.lane] = message.number
                    weight = self._handled_weight + self._message_weight + len(message.data)
                    self._handled_weight = weight
                    if weight >= self._news_at:
                        self.has_news = True
                    return message
                if message.message is not None:
                    while self._unreliable.popleft() is not message:
                        pass
                    return self._free(message)
                self._lost_places -= 1
        return None

    def clear(self) -> None:
        """Drops what waits; none of it counts as handled."""
        with self._lock:
            self._waiting.clear()
            self._unreliable.clear()
            self._keyed.clear()
            self._unreliable_count = self._lost_places = 0

    @property
    def handled(self) -> dict[int, int]:
        """The number of the last message of each lane that was taken."""
        return self._handled

    def received(self) -> dict[int, int]:
        """The number of the last message of each lane that has come."""
        with self._lock:
            received = self._handled.copy()
            for message in self._waiting:
                if type(message) is Message:
                    received[message.lane] = message.number
            return received

    @property
    def is_ack_pending(self) -> bool:
        """Whether something was handled that the peer does not know of."""
        return self._handled_weight > self._acked_weight

    @property
    def is_ack_due(self) -> bool:
        """Whether it is so much that the peer must know."""
        return (self._handled_weight - self._acked_weight) * _ACK_PART >= self._window_bytes

    def expect_news(self) -> None:
        """From now on there is no news before the next ack is due."""
        self.has_news = False
        self._news_at = self._acked_weight - (-self._window_bytes // _ACK_PART)

    def ack(self) -> Ack:
        """What the peer is to know; it counts as known from now on."""
        with self._lock:
            self.has_news = False
            self._acked_weight = self._handled_weight
            self._news_at = self._handled_weight + 1
            handled = self._handled.copy()
            messages = sum(handled.values())
            handled_bytes = self._handled_weight - messages * self._message_weight
        return Ack(handled, handled_bytes + self._window_bytes, messages + self._window_messages)

    def _oldest(self) -> _Unreliable:
        while self._unreliable[0].message is None:
            self._unreliable.popleft()
        return self._unreliable[0]

    def _drop(self, place: _Unreliable) -> None:
        self._free(place)
        self._lost_places += 1

    def _free(self, place: _Unreliable) -> Message:
        message = place.message
        assert message is not None
        place.message = None
        self._unreliable_count -= 1
        if place.key is not None:
            del self._keyed[place.key]
        return message

    def _close_ranks(self) -> None:
        """Forgets the places of what was dropped."""
        kept = [each for each in self._waiting if type(each) is Message or each.message is not None]
        self._waiting.clear()
        self._waiting.extend(kept)
        self._unreliable = deque(each for each in self._unreliable if each.message is not None)
        self._lost_places = 0
