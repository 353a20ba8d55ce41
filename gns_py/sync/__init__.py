"""GameNetworkingSockets for threads and for game loops: blocking calls, each with a timeout.

Three styles, each complete:

- ``connect()`` and ``recv()``, or ``serve()`` with a thread for each connection: like the standard library's sockets;
- ``listen()`` and ``poll()``: one thread, one loop with a fixed rate, all connections;
- callbacks, ``on_status_changed=``, called by whichever of your calls reads the events.

Timeouts are in seconds. One that is not a number raises TypeError, a negative one ValueError. A call that waits in the
main thread notices Ctrl-C within 0.1 s.
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
