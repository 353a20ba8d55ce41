"""Signalling within a process, for tests, over a service that is as bad as they want it to be."""

from __future__ import annotations

import asyncio
import random
import threading
from types import TracebackType
from typing import TypeVar

from ..._uncopyable import Uncopyable
from ...identity import Identity
from ..ice_servers import IceServers
from .checks import check_signal
from .errors import Refusal, SignallingClosed, SignallingError, SignallingRefused
from .inbox import Inbox
from .signalling import Signal

_QUEUE = 64
_MAX_DELAYED = 1024
_Self = TypeVar("_Self", bound="MemorySignalling")


class MemoryHub:
    """A service that MemorySignalling uses. It may be shared by several event loops in several threads.

    Args:
        loss: The probability that a signal is lost, 0 to 1.
        duplicates: The probability that a signal that is not lost arrives twice.
        delay: The seconds that a signal takes, or the least and the most of them: then signals overtake each other.
        seed: Makes the losses, duplicates and delays of one order of signals always the same.

    Raises:
        ValueError: A probability or a delay is out of range.
    """

    def __init__(
        self,
        *,
        loss: float = 0.0,
        duplicates: float = 0.0,
        delay: float | tuple[float, float] = 0.0,
        seed: int | None = None,
    ) -> None:
        for name, value in (("loss", loss), ("duplicates", duplicates)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, not {value}")
        least, most = delay if isinstance(delay, tuple) else (delay, delay)
        if not 0 <= least <= most < float("inf"):
            raise ValueError(f"the delay must be at least 0, and the larger number last, not {delay}")
        self._loss = loss
        self._duplicates = duplicates
        self._delay = least, most
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._clients: dict[Identity, MemorySignalling] = {}

    def enter(self, identity: Identity, client: MemorySignalling) -> MemorySignalling | None:
        """Add a client, and return the one that it replaces. Not part of the API."""
        with self._lock:
            older = self._clients.get(identity)
            self._clients[identity] = client
            return older

    def leave(self, identity: Identity, client: MemorySignalling) -> None:
        """Remove a client. Not part of the API."""
        with self._lock:
            if self._clients.get(identity) is client:
                del self._clients[identity]

    def pass_on(self, signal: Signal, receiver: Identity) -> None:
        """Pass a signal on, or lose it. Not part of the API."""
        with self._lock:
            client = self._clients.get(receiver)
            is_lost = self._random.random() < self._loss
            copies = 0 if is_lost else 1 + (self._random.random() < self._duplicates)
            delays = [self._random.uniform(*self._delay) for _ in range(copies)]
        for delay in delays:
            if client is not None:
                client.deliver(signal, delay)


class MemorySignalling(Uncopyable):
    """Signalling between peers of one process: see Signalling. It belongs to the event loop in which it is made.

    The identity is only what the program says. A second one with the same identity ends the first one.

    Args:
        hub: The service.
        identity: The identity of this end.
        ice_servers: The servers that the service is said to hand out.

    Raises:
        RuntimeError: No event loop is running.
    """

    def __init__(self, hub: MemoryHub, identity: Identity | str, *, ice_servers: IceServers | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._hub = hub
        self._identity = Identity.parse(identity) if isinstance(identity, str) else identity
        self._ice_servers = ice_servers
        self._inbox = Inbox[Signal](_QUEUE)
        self._delayed = 0
        if (older := hub.enter(self._identity, self)) is not None:
            older.replace()

    @property
    def identity(self) -> Identity:
        """The identity of this end."""
        return self._identity

    @property
    def ice_servers(self) -> IceServers | None:
        """The servers that the service is said to hand out."""
        return self._ice_servers

    async def send(self, to: Identity, signal: bytes) -> None:
        """Send a signal: see Signalling.

        Args:
            to: The receiver.
            signal: At most 8,192 bytes.

        Raises:
            TypeError: A value is of another type.
            ValueError: The signal is larger or empty, or the receiver is not an identity that can have a peer.
            SignallingClosed: The signalling was closed, or has ended.
        """
        check_signal(to, signal)
        if self._inbox.has_ended:
            raise SignallingClosed("the signalling was closed")
        self._hub.pass_on(Signal(self._identity, signal), to)

    def __aiter__(self: _Self) -> _Self:
        return self

    async def __anext__(self) -> Signal:
        return await self._inbox.get()

    async def aclose(self) -> None:
        """Close the signalling. Calling it again does nothing."""
        self._hub.leave(self._identity, self)
        self._inbox.end()

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def deliver(self, signal: Signal, delay: float) -> None:
        """Let a signal arrive after a delay in seconds, from any thread. Not part of the API."""
        try:
            self._loop.call_soon_threadsafe(self._delay, signal, delay)
        except RuntimeError:  # the loop is closed
            self._hub.leave(self._identity, self)

    def replace(self) -> None:
        """End this end since there is another one with its identity, from any thread. Not part of the API."""
        error: SignallingError = SignallingRefused(Refusal.REPLACED, "there is another one with this identity")
        try:
            self._loop.call_soon_threadsafe(self._inbox.end, error)
        except RuntimeError:  # the loop is closed
            return

    def _delay(self, signal: Signal, delay: float) -> None:
        if delay == 0:
            self._inbox.put(signal)
        elif self._delayed < _MAX_DELAYED:
            self._delayed += 1
            self._loop.call_later(delay, self._arrive, signal)

    def _arrive(self, signal: Signal) -> None:
        self._delayed -= 1
        self._inbox.put(signal)
