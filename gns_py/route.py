"""Routes between peers."""

from __future__ import annotations

from enum import IntEnum


class Route(IntEnum):
    """How packets go to a peer and back. The values are the core's ``GNS_ROUTE_...``."""

    UNKNOWN = 0
    """There is none yet, or the connection is not one between peers."""
    LOCAL = 1
    """Directly, within a network that both are in."""
    DIRECT = 2
    """Directly, through the NATs of both."""
    RELAYED = 3
    """Through a TURN server, which sees the packets, but cannot read them."""

    def __str__(self) -> str:
        return self.name.lower()
