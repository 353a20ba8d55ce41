"""Peer to peer: connections between programs behind home routers.

A Peer belongs to asyncio; BlockingPeer is for threads. The connections themselves are those of gns_py.asyncio, gns_py.sync
and both APIs of gns_py.session, whose connect() takes ``peer.at(identity)``, and whose listen() and serve() take the peer.
"""

from .._core.peers import PeerAddress
from ..route import Route
from .ice_servers import IcePolicy, IceServers, Turn
from .peer import Peer

__all__ = ["IcePolicy", "IceServers", "Peer", "PeerAddress", "Route", "Turn"]
