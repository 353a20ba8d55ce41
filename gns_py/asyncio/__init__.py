"""GameNetworkingSockets for asyncio: the names of ``gns_py.sync``, and every call that waits is a coroutine.

Works on asyncio's own loops and on uvloop, in any number of loops and threads. Each running loop has one mailbox: it
sleeps until the core has something for it to do, with no polling, timers or threads of Python's. Every wait can be
cancelled at any point: no message is lost. Connections belong to the loop that they were made in: waiting in another
one raises RuntimeError. Other threads may call ``send()``, ``send_many()``, ``flush()``, ``broadcast()`` and
``close()``, and query state and statistics.
"""

from .._core.request import ConnectionRequest
from .._generated.enums import ConnectionState, EndReason, EndReasonRange
from ..address import Address
from ..config import Config
from ..end import ConnectionEnd
from ..errors import (
    ConcurrencyError,
    ConnectFailed,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    ConnectTimeout,
    MessageTooLarge,
    SendQueueFull,
)
from ..events import MessageReceived, SendFailed, StatusChanged
from ..identity import Identity
from ..limits import ConnectionLimits, LimitCounters
from ..message import Message, MessageView
from .client import connect, socket_pair
from .connection import Connection
from .listener import ListenSocket, listen
from .poll_group import PollGroup
from .server import Server, serve

__all__ = [
    "Address",
    "ConcurrencyError",
    "Config",
    "ConnectFailed",
    "ConnectTimeout",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionEnd",
    "ConnectionLimits",
    "ConnectionRequest",
    "ConnectionState",
    "EndReason",
    "EndReasonRange",
    "Identity",
    "LimitCounters",
    "ListenSocket",
    "Message",
    "MessageReceived",
    "MessageTooLarge",
    "MessageView",
    "PollGroup",
    "SendFailed",
    "SendQueueFull",
    "Server",
    "StatusChanged",
    "connect",
    "listen",
    "serve",
    "socket_pair",
]
