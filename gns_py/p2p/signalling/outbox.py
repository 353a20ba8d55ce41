"""The messages that wait to be sent, to a client of a signalling server or by one."""

from __future__ import annotations

import asyncio
from collections import deque

from ...identity import Identity
from .fair_queue import FairQueue

MAX_NEWS = 256 * 1024
"""The bytes that may wait, signals left out. A client for which more waits reads too slowly to be of use."""


class Outbox:
    """Signals, of which some are dropped when there are too many, and everything else, which may not be lost.

    The latter overtakes signals. One task takes the messages out. See FairQueue for the order of signals.

    Args:
        signals: The number of signals that are kept.
    """

    __slots__ = ("_changed", "_closed", "_holds_signals", "_news", "_news_bytes", "_signals", "dropped")

    def __init__(self, signals: int) -> None:
        self._signals = FairQueue(signals)
        self._news: deque[bytes] = deque()
        self._news_bytes = 0
        self._holds_signals = False
        self._changed = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """The number of signals that were dropped."""

    @property
    def is_closed(self) -> bool:
        """True once close() was called."""
        return self._closed

    @property
    def is_overfull(self) -> bool:
        """True if so much waits that the client must be given up."""
        return self._news_bytes > MAX_NEWS

    def put_signal(self, peer: Identity, data: bytes) -> None:
        """Add a message with a signal to a peer, or from one."""
        if not self._closed:
            self.dropped += not self._signals.put(peer, data)
            self._changed.set()

    def put(self, data: bytes) -> None:
        """Add another message."""
        if not self._closed:
            self._news.append(data)
            self._news_bytes += len(data)
            self._changed.set()

    def close(self, *, keep_signals: bool = False) -> None:
        """Let get() return None once it has returned what waits, with or without the signals."""
        self._closed = True
        if not keep_signals:
            self._signals.clear()
        self._changed.set()

    def hold_signals(self, holds: bool) -> None:
        """Let get() return no signals for now, or return them again."""
        self._holds_signals = holds
        self._changed.set()

    def forget_news(self) -> None:
        """Drop everything but signals."""
        self._news.clear()
        self._news_bytes = 0

    async def get(self) -> bytes | None:
        """Wait for a message, take it out, and return it; return None after the last one."""
        while True:
            if self._news:
                data = self._news.popleft()
                self._news_bytes -= len(data)
                return data
            if self._signals and not self._holds_signals:
                return self._signals.get()
            if self._closed and not self._signals:
                return None
            self._changed.clear()
            await self._changed.wait()
