"""Routes between peers."""

from __future__ import annotations

from enum import IntEnum

from ._generated.enums import InfoFlags
from .stats import ConnectionInfo


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


def route_to_peer(info: ConnectionInfo) -> Route:
    """Return the route of a connection between peers."""
    if info.flags & InfoFlags.RELAYED:
        return Route.RELAYED
    if info.remote_address is None or info.remote_address.port == 0:
        return Route.UNKNOWN
    return Route.LOCAL if info.flags & InfoFlags.FAST else Route.DIRECT
