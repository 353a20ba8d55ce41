"""The protocol of a signalling, as peers need it, and its signals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from ...identity import Identity
from ..ice_servers import IceServers

MAX_SIGNAL = 8192
"""The largest signal in bytes: GNS's own have 30 to 450."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal that has arrived."""

    sender: Identity
    """The peer that has sent it, as the service has proved it."""
    data: bytes
    """GNS's own bytes."""


class Signalling(Protocol):
    """A way to exchange signals with peers, in asyncio. All methods belong to the event loop in which it was opened.

    Signals may be lost, may arrive twice, and may overtake each other: GNS repeats those that matter.

    Iterating yields the signals that arrive. It ends when the signalling is closed, and raises SignallingError when it
    has ended by itself. Only one task may iterate at a time.
    """

    @property
    def identity(self) -> Identity:
        """The identity of this end, as the service has proved it."""

    @property
    def ice_servers(self) -> IceServers | None:
        """The servers that the service hands out, with credentials that are valid now; None if it hands out none."""

    async def send(self, to: Identity, signal: bytes) -> None:
        """Send a signal, as well as it can be done: it may be dropped. Never blocks long.

        Args:
            to: The receiver. If there is no such peer, nothing happens.
            signal: At most 8,192 bytes; a service may allow less, and drops what is larger.

        Raises:
            TypeError: A value is of another type.
            ValueError: The signal is larger or empty, or the receiver is not an identity that can have a peer.
            SignallingClosed: The signalling was closed, or has ended.
        """

    def __aiter__(self) -> AsyncIterator[Signal]: ...

    async def aclose(self) -> None:
        """Close the signalling. Calling it again does nothing."""
