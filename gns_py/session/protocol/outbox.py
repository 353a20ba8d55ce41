"""Messages that were sent and that the connection has not taken yet, because credit or room is missing."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from itertools import islice

from ...errors import MessageTooLarge, SendQueueFull
from .config import SessionConfig
from .frames import LAST_CREDIT, Ack, Keyed, Untracked
from .transport import Hold, Transport
from .violation import Violation

_UNLIMITED = (1 << 63) - 1


class Outbox:
    """A bounded queue of reliable messages, in order, and one of unreliable messages, which drops the oldest."""

    def __init__(self, transport: Transport, config: SessionConfig) -> None:
        self._transport = transport
        self._max_bytes = config.send_queue_bytes
        self._max_messages = config.send_queue_messages
        self._max_unreliable = config.unreliable_queue
        self._max_unreliable_bytes = config.unreliable_queue_bytes
        self._max_message = 0
        self._is_open = False
        self._is_closed = False
        self._is_suspended = False
        self.is_replaying = False
        """True while something that was sent on an earlier connection has to be sent again."""
        self._credit_bytes = 0
        self._credit_messages = 0
        self._waiting: deque[tuple[bytes, int, bool, int]] = deque()  # payload, lane, nagle, number
        self._waiting_bytes = 0
        self._numbers: dict[int, int] = {}  # while something waits: the last one of each lane
        self._is_flushing = False
        self._unreliable: OrderedDict[bytes | int, tuple[bytes, int, bool]] = OrderedDict()
        self._unreliable_bytes = 0
        self._unreliable_count = 0
        self._acked: dict[int, int] = {}
        self._is_full_below = False
        self._waits_for_commits = False
        self._put_bytes = 0  # of all reliable messages, if they wait for commits
        # Of those that wait: the first ones are staged for a commit, and the first of those released by it.
        self._staged = self._released = 0
        self.dropped = 0
        """The number of unreliable messages dropped for newer ones; those replaced under their key do not count."""

    def limit(self, max_message: int) -> None:
        """Set the size of the longest message that the peer takes."""
        self._max_message = max_message

    def open(self, credit_bytes: int, credit_messages: int) -> None:
        """Begin to send, within the peer's first credit. Before this everything waits."""
        self._is_open = True
        self._allow(credit_bytes, credit_messages)

    # ---- durable sessions ----

    def wait_for_commits(self) -> None:
        """Send a reliable message only once it was released."""
        self._waits_for_commits = True
        self._transport.set_hold(Hold.DATA)

    def stage(self) -> tuple[dict[int, int], int, list[tuple[int, int, bytes]]]:
        """Return what the next commit has to store.

        Returns:
            The last number of each lane; the bytes of all reliable messages; lane, number and payload of those that no
            earlier commit has.
        """
        new = [(lane, number, payload) for payload, lane, _, number in islice(self._waiting, self._staged, None)]
        self._staged = len(self._waiting)
        numbers = self._numbers if self._waiting else self._transport.sent()
        return numbers.copy(), self._put_bytes, new

    def unstage(self, count: int) -> None:
        """Stage the last ones of those that were staged again."""
        self._staged -= count

    @property
    def is_staged(self) -> bool:
        """True if nothing was put in since stage()."""
        return self._staged == len(self._waiting)

    def release(self, count: int) -> None:
        """Let the next ones of those that were staged go."""
        self._released += count

    def restore(self, messages: Iterable[tuple[int, int, bytes]], ack: Ack, put_bytes: int) -> None:
        """Go on from where the outbox of another server was, with the messages that the client has not handled."""
        self._acked = dict(ack.handled)
        self._numbers = self._transport.sent()
        for lane, number, payload in messages:
            self._waiting.append((payload, lane, True, number))
            self._waiting_bytes += len(payload)
            self._numbers[lane] = number
        self._staged = self._released = len(self._waiting)
        self._put_bytes = put_bytes
        self._allow(ack.credit_bytes, ack.credit_messages)

    @property
    def acked_numbers(self) -> dict[int, int]:
        """The number of the last message on each lane that the peer has handled, as far as it has said."""
        return self._acked.copy()

    # ---- from one connection to the next ----

    def suspend(self) -> None:
        """Send nothing until resume(): the connection is lost. Unreliable messages without a key are dropped."""
        self._is_open = False
        self._is_suspended = True
        self._is_full_below = False
        self._end_replay()
        for name in [name for name in self._unreliable if isinstance(name, int)]:
            self._unreliable_bytes -= len(self._unreliable.pop(name)[0])
            self.dropped += 1

    def resume(self) -> None:
        """Send on a new connection, after replay()."""
        self._is_open = True
        self._is_suspended = False
        self.is_replaying = True

    def replay(self) -> bool:
        """Send again what was not handled, as far as there is room; return True once that is done."""
        if self.is_replaying and self._transport.replay():
            self._end_replay()
        return not self.is_replaying

    def _end_replay(self) -> None:
        if self.is_replaying:
            self.is_replaying = False
            self._transport.release_acked(self._acked)

    def close(self) -> None:
        """Send only what waits from now on."""
        self._is_closed = True
        self._transport.set_hold(Hold.ALL)

    @property
    def waiting(self) -> tuple[int, int]:
        """The bytes and the number of the reliable messages that wait here."""
        return self._waiting_bytes, len(self._waiting)

    @property
    def has_unreliable(self) -> bool:
        """True while unreliable messages wait here."""
        return bool(self._unreliable)

    @property
    def is_empty(self) -> bool:
        """True while nothing waits here."""
        return not (self._waiting or self._unreliable)

    @property
    def waits_for_room(self) -> bool:
        """True while something waits for room in the connection's queue, not for credit."""
        return self._is_full_below and not self.is_empty

    def check_size(self, payload: bytes, key: bytes | None) -> None:
        """Check that the peer takes a message of this size.

        Raises:
            MessageTooLarge: It does not.
        """
        size = len(payload) + len(key or b"")
        if size > self._max_message:
            raise MessageTooLarge(f"the peer takes messages of up to {self._max_message} bytes, not of {size}")

    def put(self, payload: bytes, lane: int, nagle: bool) -> int:
        """Take a reliable message and return its sequence number.

        Raises:
            SendQueueFull: The queue has reached its bounds.
            MessageTooLarge: The message never fits into the connection's send buffer.
        """
        if not self._waiting and not self._waits_for_commits:
            self._transport.set_hold(Hold.DATA)  # no other thread sends from here on
            try:
                number = self._send(payload, lane, nagle)
            except MessageTooLarge:
                self._transport.set_hold(Hold.NONE)
                raise
            if number is not None:
                self._transport.set_hold(Hold.NONE)
                return number
            self._numbers = self._transport.sent()
        elif not self._waiting:
            self._numbers = self._transport.sent()
        elif len(self._waiting) >= self._max_messages or self._waiting_bytes + len(payload) > self._max_bytes:
            raise SendQueueFull(
                "the send queue is full: the peer is not receiving messages as fast as they are sent; wait with drain()"
            )
        number = self._numbers.get(lane, 0) + 1
        size = len(payload)
        self._waiting += ((payload, lane, nagle, number),)  # one step
        self._waiting_bytes += size
        self._numbers[lane] = number
        self._put_bytes += size
        return number

    def put_unreliable(self, payload: bytes, lane: int, nagle: bool, key: bytes | None) -> int:
        """Take an unreliable message and return GNS's number for it, or 0 if it waits.

        Raises:
            MessageTooLarge: The message never fits into the connection's send buffer.
        """
        if self._is_suspended and key is None:
            self.dropped += 1
            return 0
        message = (Untracked(payload) if key is None else Keyed(key, payload)).encode()
        if self._is_open and not self._unreliable:
            try:
                return self._transport.send(message, lane, False, nagle)
            except SendQueueFull:
                self._is_full_below = True
        self._unreliable_count += 1
        name: bytes | int = self._unreliable_count if key is None else key
        if name in self._unreliable:
            self._unreliable_bytes -= len(self._unreliable[name][0])
        self._unreliable[name] = message, lane, nagle
        self._unreliable_bytes += len(message)
        while len(self._unreliable) > self._max_unreliable or (
            len(self._unreliable) > 1 and self._unreliable_bytes > self._max_unreliable_bytes
        ):
            self._pop_unreliable()
            self.dropped += 1
        return 0

    def _pop_unreliable(self) -> tuple[bytes | int, tuple[bytes, int, bool]]:
        name, message = self._unreliable.popitem(last=False)
        self._unreliable_bytes -= len(message[0])
        return name, message

    def acked(self, ack: Ack) -> bool:
        """Take the peer's ACK and return whether it has handled more than before.

        Raises:
            Violation: The ACK contradicts what was sent, or an earlier ACK.
        """
        sent = self._transport.sent()
        for lane in self._acked.keys() | ack.handled.keys():
            handled = ack.handled.get(lane, 0)
            if handled > sent.get(lane, 0):
                raise Violation(f"message {handled} of lane {lane} was acked before it was sent")
            if handled < self._acked.get(lane, 0):
                raise Violation(f"message {handled} of lane {lane} was acked after a later one")
        if ack.credit_bytes < self._credit_bytes or ack.credit_messages < self._credit_messages:
            raise Violation("the credit fell")
        has_advanced = self._acked != ack.handled
        self._acked = dict(ack.handled)
        if has_advanced and not self.is_replaying:  # the replay must not have a gap, whatever is handled meanwhile
            self._transport.release_acked(ack.handled)
        self._allow(ack.credit_bytes, ack.credit_messages)
        return has_advanced

    @property
    def has_last_credit(self) -> bool:
        """True once the peer has handled all, and said so for the last time."""
        return self._credit_bytes == self._credit_messages == LAST_CREDIT

    @property
    def unacked(self) -> int:
        """The number of reliable messages that wait here, or were sent and not acknowledged."""
        return len(self._waiting) + sum(self._transport.sent().values()) - sum(self._acked.values())

    @property
    def backlog_bytes(self) -> int:
        """The bytes that wait here or in the connection."""
        return self._waiting_bytes + self._transport.outstanding()[0]

    def count_undelivered(self) -> int:
        """Return how many reliable messages have not arrived, as far as is known while the connection lives."""
        return min(self.unacked, len(self._waiting) + self._transport.outstanding()[1])

    def measure_progress(self) -> tuple[int, ...]:
        """Return numbers that change as long as messages make their way to the peer."""
        return (*self.waiting, self.unacked, *self._transport.outstanding())

    def flush(self) -> None:
        """Send what there are credit and room for.

        Raises:
            MessageTooLarge: A message no longer fits into the connection's send buffer.
        """
        self._is_full_below = False
        if self._waiting:
            self._flush_reliable()
        while self._unreliable and not self._is_full_below:
            name, message = self._pop_unreliable()  # first: better lost than sent twice
            try:
                self._transport.send(message[0], message[1], False, message[2])
            except SendQueueFull:
                self._is_full_below = True
                self._unreliable[name] = message
                self._unreliable.move_to_end(name, last=False)
                self._unreliable_bytes += len(message[0])

    def _flush_reliable(self) -> None:
        if self._is_flushing:  # a flush was interrupted: what was sent may still wait
            sent = self._transport.sent()
            while self._waiting and self._waiting[0][3] <= sent.get(self._waiting[0][1], 0):
                self._drop_first()
        self._is_flushing = True
        while self._waiting and (self._released or not self._waits_for_commits):
            payload, lane, nagle, _ = self._waiting[0]
            if self._send(payload, lane, nagle) is None:
                break
            self._drop_first()
        self._is_flushing = False
        if not self._waiting and not self._is_closed and not self._waits_for_commits:
            self._transport.set_hold(Hold.NONE)

    def _drop_first(self) -> None:
        size = len(self._waiting[0][0])
        del self._waiting[0]  # one step
        self._waiting_bytes -= size
        if self._waits_for_commits:
            self._staged -= 1
            self._released -= 1

    def clear(self) -> None:
        """Drop everything that waits."""
        self._waiting.clear()
        self._waiting_bytes = 0
        self._unreliable.clear()
        self._unreliable_bytes = 0

    def _allow(self, credit_bytes: int, credit_messages: int) -> None:
        self._credit_bytes = credit_bytes
        self._credit_messages = credit_messages
        # The core counts with 64 bits and a sign. This much is not a limit.
        self._transport.allow(self._max_message, min(credit_bytes, _UNLIMITED), min(credit_messages, _UNLIMITED))

    def _send(self, payload: bytes, lane: int, nagle: bool) -> int | None:
        try:
            return self._transport.send_data(payload, lane, nagle)
        except SendQueueFull:
            self._is_full_below = True
            return None
