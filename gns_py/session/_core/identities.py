"""Identities that GNS has verified: a session that one of them began is resumed by no other."""

from __future__ import annotations

from ..._generated.enums import InfoFlags
from .endpoint import SessionEndpoint


def verified_identity(endpoint: SessionEndpoint) -> str:
    """Return the identity of the peer if GNS has verified it, else ""."""
    info = endpoint.endpoint.last_info
    if info is None or info.flags & InfoFlags.UNAUTHENTICATED:
        return ""
    return str(info.identity)


def may_go_on(verified: str, handshake: SessionEndpoint) -> bool:
    """Return whether the peer of a handshake may go on with a session.

    Args:
        verified: The result of verified_identity() when the session began.
        handshake: Has the new connection.
    """
    if not verified:
        return True
    info = handshake.endpoint.info()
    return not info.flags & InfoFlags.UNAUTHENTICATED and str(info.identity) == verified
