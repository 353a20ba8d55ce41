"""What has arrived and the application has not taken yet."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import cast

from ..message import Message


class _Due:
    """A message after which an ack is due."""

    __slots__ = ("message",)

    def __init__(self, message: Message) -> None:
        self.message = message


class Inbox:
    """Messages in the order of their arrival. Reliable ones are bounded by credit, unreliable ones by dropping.

    One thread adds, and one takes, at a time; another one may take and drop all that is left.
    """

    def __init__(self, max_unreliable: int) -> None:
        self._max_unreliable = max_unreliable
        self._waiting: deque[Message | _Due | None] = deque()  # None: it is the turn of the oldest unreliable one
        self.add = self._waiting.append
        """Takes a reliable message, with its sequence number."""
        self._lock = threading.Lock()  # of what is not the deque or the numbers; a leaf
        self._unreliable: OrderedDict[bytes | int, Message] = OrderedDict()
        self._unreliable_count = 0
        self.handled: dict[int, int] = {}
        """The number of the last message of each lane that was taken."""
        self.acks_due = 0
        """How many messages were taken after which an ack is due."""
        self.dropped = 0
        """Unreliable messages that newer ones have pushed out, those with the same key not counted."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add_due(self, message: Message) -> None:
        """Takes a reliable message after which an ack is due."""
        self._waiting.append(_Due(message))

    def add_unreliable(self, message: Message, key: bytes | None = None) -> None:
        """Takes an unreliable message."""
        with self._lock:
            old = None if key is None else self._unreliable.get(key)
            if key is None or old is None:
                if len(self._unreliable) >= self._max_unreliable:
                    self.dropped += 1
                    self._unreliable.popitem(last=False)
                else:
                    self._waiting.append(None)
            elif old.lane == message.lane and old.number > message.number:
                return  # the network has changed their order
            self._unreliable_count += 1
            self._unreliable[self._unreliable_count if key is None else key] = message

    def take(self) -> Message | None:
        """The next message, which is handled with that; None: there is none."""
        waiting = self._waiting
        if not waiting:
            return None
        try:
            message = waiting.popleft()
        except IndexError:  # another thread has dropped them all
            return None
        if type(message) is Message:
            self.handled[message.lane] = message.number
            return message
        return self._take_unreliable() if message is None else self._take_due(cast("_Due", message).message)

    def _take_due(self, message: Message) -> Message:
        self.handled[message.lane] = message.number
        with self._lock:
            self.acks_due += 1
        return message

    def _take_unreliable(self) -> Message | None:
        with self._lock:
            if self._unreliable:
                return self._unreliable.popitem(last=False)[1]
        return self.take()  # another thread has dropped it

    def settle_acks_due(self) -> int:
        """How many they were: none is due any more."""
        with self._lock:
            due, self.acks_due = self.acks_due, 0
        return due

    def clear(self) -> None:
        """Drops what waits; none of it counts as handled."""
        with self._lock:
            self._waiting.clear()
            self._unreliable.clear()

    def received(self) -> dict[int, int]:
        """The number of the last message of each lane that has come."""
        received = self.handled.copy()
        for each in self._waiting.copy():
            message = each.message if isinstance(each, _Due) else each
            if message is not None:
                received[message.lane] = message.number
        return received
