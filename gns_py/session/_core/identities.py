"""Peers that GNS has verified: a session that one of them began is resumed, and taken over, by no other.

Identity and key have to be the same. A certificate that was renewed has the same key. A peer with another key may be a
thief, who has got a certificate of the same identity for a stolen password; so the one who was there first stays.
"""

from __future__ import annotations

from ..protocol.durable import VerifiedPeer
from .endpoint import SessionEndpoint


def verified_peer(endpoint: SessionEndpoint) -> VerifiedPeer | None:
    """Return the peer of the present connection if GNS has verified it, else None."""
    info = endpoint.endpoint.last_info
    if info is None or not info.authenticated or info.remote_key is None:
        return None
    return VerifiedPeer(str(info.identity), info.remote_key)


def refusal(owner: VerifiedPeer | None, newcomer: VerifiedPeer | None) -> str:
    """Return why a peer may neither resume a session nor end it, or "" if it may.

    Args:
        owner: The peer that began the session.
        newcomer: The peer that wants to.
    """
    if owner is None or owner == newcomer:
        return ""
    if newcomer is None:
        return "the session belongs to an authenticated client"
    if newcomer.identity != owner.identity:
        return "the session belongs to another identity"
    return "the session belongs to another key of this identity"
