"""How many connections the system lets a server have."""

from __future__ import annotations

_RESERVE = 160
"""Descriptors for everything else: asyncio accepts up to 100 connections before the first of them can be refused."""


def most_connections(wanted: int) -> int:
    """Return how many connections a server can accept without running out of descriptors.

    asyncio logs hundreds of lines a second once there are none left.

    Args:
        wanted: The number that it would accept.
    """
    try:
        import resource
    except ImportError:  # Windows, where a socket is not a descriptor
        return wanted
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(1, limit - min(_RESERVE, limit // 2)))
