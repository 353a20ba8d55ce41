"""Signalling: the way on which two peers exchange a few small messages before they have a connection.

WebSockets need the library websockets: ``pip install 'gns-py[p2p]'``; logins by certificate need cryptography, too.
"""

from .blocking import BlockingSignalling
from .errors import (
    Refusal,
    RoomError,
    SignallingClosed,
    SignallingError,
    SignallingRefused,
    SignallingUnavailable,
)
from .limits import SignallingLimits
from .line import LineSignalling
from .line_server import LineSignallingServer
from .memory import MemoryHub, MemorySignalling
from .room import HostChanged, MemberJoined, MemberLeft, Room, RoomEvent
from .server import SignallingServer
from .signalling import Signal, Signalling
from .switchboard import SignallingCounters
from .turn_credentials import turn_credentials
from .websocket import WebSocketSignalling

__all__ = [
    "BlockingSignalling",
    "HostChanged",
    "LineSignalling",
    "LineSignallingServer",
    "MemberJoined",
    "MemberLeft",
    "MemoryHub",
    "MemorySignalling",
    "Refusal",
    "Room",
    "RoomError",
    "RoomEvent",
    "Signal",
    "Signalling",
    "SignallingClosed",
    "SignallingCounters",
    "SignallingError",
    "SignallingLimits",
    "SignallingRefused",
    "SignallingServer",
    "SignallingUnavailable",
    "WebSocketSignalling",
    "turn_credentials",
]
