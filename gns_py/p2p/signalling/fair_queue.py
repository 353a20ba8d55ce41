"""Signals that wait, of which each peer gets its share."""

from __future__ import annotations

from collections import OrderedDict, deque

from ...identity import Identity


class FairQueue:
    """A queue with a bound. Peers take turns; if it is full, the oldest signal of the peer with the most is dropped.

    So a peer whose signals are many holds up its own, and not those of others.

    Args:
        capacity: The number of signals that are kept.
    """

    __slots__ = ("_capacity", "_size", "_waiting")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._waiting: OrderedDict[Identity, deque[bytes]] = OrderedDict()  # none is empty; the next one to go is first

    def __len__(self) -> int:
        return self._size

    def put(self, peer: Identity, data: bytes) -> bool:
        """Add a signal from or to a peer; return False if one had to be dropped for it."""
        self._waiting.setdefault(peer, deque()).append(data)
        self._size += 1
        if self._size <= self._capacity:
            return True
        # Of several with as many, the one whose turn is last.
        self._take(max(reversed(self._waiting), key=lambda each: len(self._waiting[each])))
        return False

    def get(self) -> bytes:
        """Take the next signal out. There must be one."""
        peer = next(iter(self._waiting))
        data = self._take(peer)
        if peer in self._waiting:
            self._waiting.move_to_end(peer)
        return data

    def clear(self) -> None:
        """Drop all signals."""
        self._waiting.clear()
        self._size = 0

    def _take(self, peer: Identity) -> bytes:
        signals = self._waiting[peer]
        data = signals.popleft()
        self._size -= 1
        if not signals:
            del self._waiting[peer]
        return data
