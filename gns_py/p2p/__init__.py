"""Peer to peer: connections between programs behind home routers.

The connections are those of gns_py.asyncio and gns_py.sync, and the sessions those of gns_py.session: their connect()
takes ``peer.at(identity)`` in the place of host and port, and their listen() and serve() take the peer for the host.
"""

from .._core.peers import PeerAddress
from ..route import Route
from .blocking import BlockingPeer
from .ice_servers import IcePolicy, IceServers, Turn
from .peer import Peer
from .relay_signalling import RelaySignalling
from .server_relay import RelayCounters, ServerRelay

__all__ = [
    "BlockingPeer",
    "IcePolicy",
    "IceServers",
    "Peer",
    "PeerAddress",
    "RelayCounters",
    "RelaySignalling",
    "Route",
    "ServerRelay",
    "Turn",
]
