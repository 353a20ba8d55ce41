"""Messages that have arrived and that the application has not taken yet."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping

from ...message import Message


class AckDue:
    """A message after which an ack is due."""

    __slots__ = ("message",)

    def __init__(self, message: Message) -> None:
        self.message = message


class Inbox:
    """Messages in order of arrival. Reliable ones are bounded by credit, unreliable ones by dropping the oldest.

    At a time one thread adds and one takes; another one may discard everything that is left. "One step" marks
    statements that no exception from a signal's handler can separate (see gns_py._core).
    """

    def __init__(self, max_unreliable: int, max_unreliable_bytes: int) -> None:
        self._max_unreliable = max_unreliable
        self._max_unreliable_bytes = max_unreliable_bytes
        self.data: deque[Message | AckDue | None] = deque()
        """The messages that wait. None: it is the turn of the oldest unreliable message, if one is left.

        Reliable messages are put here in one step with their numbers in ``received``.
        """
        self.received: dict[int, int] = {}
        """The number of the last reliable message that has arrived on each lane."""
        self.comes_again: dict[int, int] = {}
        """The last number of each lane on which messages of an earlier connection have to come again."""
        self._lock = threading.Lock()  # guards the unreliable messages; no other lock is taken under it
        self._unreliable: OrderedDict[bytes | int, Message] = OrderedDict()
        self._unreliable_bytes = 0
        self._unreliable_count = 0
        self._earlier: set[bytes | int] = set()  # unreliable messages that have arrived on an earlier connection
        self._turns = 0  # of unreliable messages, in ``data``: at least one per message
        self._is_discarding = False
        self._handled: dict[int, int] = {}
        self.handled_bytes = 0
        """The bytes of all reliable messages that were taken."""
        self.acks_due = 0
        """How many acks have become due, as messages were taken. Only ever grows."""
        self.acks_sent = 0
        """How many of those have been sent. One ACK can cover several."""
        self.dropped = 0
        """The number of unreliable messages dropped for newer ones; those replaced under their key do not count."""

    def restore(self, handled: Mapping[int, int], handled_bytes: int) -> None:
        """Go on from where the inbox of another server was. Nothing has arrived yet."""
        self.received.update(handled)  # it is known elsewhere
        self._handled.update(handled)
        self.handled_bytes = handled_bytes

    def begin_again(self) -> None:
        """Note that messages arrive on a new connection from now on: GNS numbers them from 1 again."""
        self.comes_again = {
            lane: number for lane, number in self.received.items() if number != self.handled.get(lane, 0)
        }
        with self._lock:
            self._earlier = set(self._unreliable)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def handled(self) -> dict[int, int]:
        """The number of the last message that was taken, or discarded, on each lane."""
        return self.received if self._is_discarding else self._handled

    @property
    def is_ack_due(self) -> bool:
        """True while an ack is due."""
        return self.acks_due != self.acks_sent

    def add(self, message: Message, *, is_ack_due: bool = False) -> None:
        """Add a reliable message, with its sequence number."""
        arrival = AckDue(message) if is_ack_due else message
        lane, number = message.lane, message.number
        self.data += (arrival,)  # one step
        self.received[lane] = number

    def add_unreliable(self, message: Message, key: bytes | None = None) -> None:
        """Add an unreliable message. The oldest ones are dropped for it if there are too many, or too many bytes."""
        size = len(message.data) + len(key or b"")
        with self._lock:
            old = None if key is None else self._unreliable.get(key)
            if old is not None and key is not None:
                if old.lane == message.lane and old.number > message.number and key not in self._earlier:
                    return  # the network has changed their order
                self._earlier.discard(key)
                self._unreliable_bytes += len(message.data) - len(old.data)
                self._unreliable[key] = message
            else:
                self._unreliable_count += 1
                self._unreliable[self._unreliable_count if key is None else key] = message
                self._unreliable_bytes += size
                if self._turns < len(self._unreliable):
                    self.data += (None,)  # one step
                    self._turns += 1
            while len(self._unreliable) > self._max_unreliable or (
                len(self._unreliable) > 1 and self._unreliable_bytes > self._max_unreliable_bytes
            ):
                self._pop_unreliable()
                self.dropped += 1

    def _pop_unreliable(self) -> Message:
        key, message = self._unreliable.popitem(last=False)
        self._earlier.discard(key)
        self._unreliable_bytes -= len(message.data) + (len(key) if isinstance(key, bytes) else 0)
        return message

    def take(self) -> Message | None:
        """Remove and return the next message (which then counts as handled), or None."""
        data = self.data
        while data:
            try:
                head = data[0]  # one step, as far as the caller's return
                if head.__class__ is Message:  # type() would be a call
                    del data[0]
                    self._handled[head.lane] = head.number
                    self.handled_bytes += len(head.data)
                    return head
                if head is None:
                    message = self._take_unreliable()
                    if message is not None:
                        return message
                    continue
                message = head.message  # type: ignore[union-attr] # it is AckDue
                del data[0]
                self._handled[message.lane] = message.number
                self.handled_bytes += len(message.data)
                self.acks_due += 1
            except IndexError:  # another thread has discarded them
                break
            else:
                return message
        return None

    def _take_unreliable(self) -> Message | None:
        with self._lock:
            if self.data and self.data[0] is None:
                del self.data[0]  # one step
                self._turns -= 1
            return self._pop_unreliable() if self._unreliable else None

    def take_unreliable(self, matches: Callable[[Message], bool]) -> list[Message]:
        """Remove and return the unreliable messages without a key that match."""
        with self._lock:
            keys = [key for key, each in self._unreliable.items() if isinstance(key, int) and matches(each)]
            messages = [self._unreliable.pop(key) for key in keys]
            self._earlier.difference_update(keys)
            self._unreliable_bytes -= sum(len(each.data) for each in messages)
            return messages

    def put_back(self, message: Message) -> None:
        """Put back the message that was taken last, after an interruption."""
        if message.reliable:
            self.data.appendleft(message)
            self.handled_bytes -= len(message.data)
            return
        with self._lock:
            self._unreliable_count += 1
            self._unreliable[self._unreliable_count] = message
            self._unreliable.move_to_end(self._unreliable_count, last=False)
            self._unreliable_bytes += len(message.data)
            self.data.appendleft(None)
            self._turns += 1

    def discard(self) -> None:
        """Drop everything that waits, and count it as handled: the application has stopped reading."""
        self._is_discarding = True
        while self.take() is not None:
            pass

    def clear(self) -> None:
        """Drop everything that waits, without counting it as handled."""
        with self._lock:
            self.data.clear()
            self._turns = 0
            self._unreliable.clear()
            self._unreliable_bytes = 0
