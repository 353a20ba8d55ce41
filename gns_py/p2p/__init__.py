"""Peer to peer: connections between programs behind home routers."""

from .ice_servers import IcePolicy, IceServers, Turn

__all__ = ["IcePolicy", "IceServers", "Turn"]
