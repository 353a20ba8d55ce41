"""Mailboxes, in which events wait to be read."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from functools import partial

from .._uncopyable import Uncopyable
from .failures import check
from .library import ffi, lib
from .text import new_buffer

# The fields of gns_event.
_EVENT = struct.Struct("=QqqQIiiiiHH")
assert _EVENT.size == ffi.sizeof("gns_event")


# connection, number, time_us, offset, size, kind, old_state, new_state, code, lane, flags
Record = tuple[int, int, int, int, int, int, int, int, int, int, int]

# Microseconds that the main thread may take to notice Ctrl-C: signals do not interrupt a native wait.
SIGNAL_SLICE_US = 100_000


class MailboxReader(Uncopyable):
    """The reading end of a native mailbox, with the buffers that a batch is copied into.

    For one thread at a time, except wake(). The buffers keep a batch until the next receive(): a KeyboardInterrupt that
    is raised just as the native call returns loses nothing.
    """

    __slots__ = (
        "_batch",
        "_capacity",
        "_events",
        "_max_events",
        "_payload",
        "fresh",
        "handle",
        "is_lent",
        "payloads",
        "receive_one",
        "receive_one_now",
        "record",
    )

    def __init__(self) -> None:
        handle = ffi.new("uint64_t *")
        check(lib.gns_mailbox_create(handle))
        self.handle: int = handle[0]
        self._batch = ffi.new("gns_batch *")
        self.fresh = False
        """True while the batch in the buffers has not been looked at."""
        self._grow(64, 8 * 1024)

    def _grow(self, max_events: int, capacity: int) -> None:
        self._max_events = max_events
        self._capacity = capacity
        self._events = ffi.new("gns_event[]", max_events)
        self.record: Callable[[], Record] = partial(_EVENT.unpack_from, ffi.buffer(self._events))
        """Returns the first record of the batch in the buffers."""
        self._renew()

    def _renew(self) -> None:
        self._payload = new_buffer("char[]", self._capacity)
        self.payloads = ffi.buffer(self._payload)
        """The messages of the batch, at the offsets that their records give. Slicing copies."""
        self.is_lent = False
        # For the most frequent case there is nothing between the caller and the core. Both return 1 for one event, and
        # 0 for none; otherwise go on as if receive() had been interrupted just as its native call returned. First set
        # `fresh`.
        buffers = self._events, self._max_events, self._payload, self._capacity, self._batch
        self.receive_one: Callable[[], int] = partial(
            lib.gns_mailbox_receive_one, self.handle, SIGNAL_SLICE_US, *buffers
        )
        """Waits for one event for as long as the main thread may be deaf to signals."""
        self.receive_one_now: Callable[[], int] = partial(lib.gns_mailbox_receive_one, self.handle, 0, *buffers)

    def destroy(self) -> None:
        """Free the mailbox and the events in it."""
        if lib is not None:  # at exit, Nuitka's modules lose their names before their objects
            lib.gns_mailbox_destroy(self.handle)

    def count_until_handled(self) -> None:
        """Make messages count against their connections' receive limits until handled() is called."""
        check(lib.gns_mailbox_count_until_handled(self.handle))

    def descriptor(self) -> int:
        """Return the descriptor (a socket on Windows) that is readable while there is something for a loop to receive.

        That is events, or packets that the loop is to serve. The core owns the descriptor; do not close it.
        """
        return check(lib.gns_mailbox_fd(self.handle))

    def notify(self, descriptor: int) -> None:
        """Make the core write a byte to the caller's socket when the first event arrives."""
        check(lib.gns_mailbox_notify(self.handle, descriptor))

    def wake(self) -> None:
        """Make a waiting receive(), or the next one, return at once."""
        check(lib.gns_mailbox_wake(self.handle))

    def receive(self, timeout_us: int) -> int:
        """Wait for events and copy them into the buffers. Return how many there are, 0 at the timeout."""
        if self.is_lent:
            self._renew()
        self._batch.events = 0
        self.fresh = True
        while True:
            result: int = lib.gns_mailbox_receive(
                self.handle, timeout_us, self._events, self._max_events, self._payload, self._capacity, self._batch
            )
            if result != lib.GNS_ERROR_BUFFER_TOO_SMALL:
                return check(result)
            self._grow(self._max_events, self._batch.payload)

    def expect_more(self) -> None:
        """Get larger buffers if more events were pending than fit: a busy mailbox is worth them, an idle one is not."""
        if self._batch.more and self._max_events < 1024:
            self._grow(1024, max(self._capacity, 256 * 1024))

    def records(self) -> deque[Record]:
        """Return the records of the batch in the buffers."""
        return deque(_EVENT.iter_unpack(ffi.buffer(self._events, self._batch.events * _EVENT.size)))

    def lend(self, offset: int, size: int) -> memoryview:
        """Return a view of a message. The buffers then belong to the view, and new ones replace them."""
        self.is_lent = True
        return memoryview(self.payloads)[offset : offset + size].toreadonly()

    @property
    def events(self) -> int:
        """The number of events in the batch."""
        return int(self._batch.events)

    @property
    def logs(self) -> bool:
        """True if log records were pending."""
        return bool(self._batch.logs)


# (connection, messages, bytes): stop counting these, after MailboxReader.hold()
handled = lib.gns_connection_handled
