"""Helpers of the tests of connection states."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from gns_py import Config, ConnectionClosed, ConnectionState
from gns_py.sync import Connection, ListenSocket
from support import Api, eventually

NONE = ConnectionState.NONE
CONNECTING = ConnectionState.CONNECTING
CONNECTED = ConnectionState.CONNECTED
CLOSED_BY_PEER = ConnectionState.CLOSED_BY_PEER
PROBLEM = ConnectionState.PROBLEM_DETECTED_LOCALLY

# At GNS's default rate, 256 KiB/s, about what leaves in 0.8 s.
LARGE = 50
CHUNK = bytes(4096)

CLIENT = """
    import sys, gns_py.sync as gns
    connection = gns.connect("127.0.0.1", int(sys.argv[1]), timeout=5)
"""


def begin(api: Api, listener: ListenSocket, timeout: float = 5.0) -> Connection:
    """Begin to connect; the server has not accepted the connection."""
    return api.connect("127.0.0.1", listener.address.port, timeout=timeout, wait=False)


def established(connection: Connection) -> None:
    """Wait until the connection is established."""
    eventually(lambda: connection.state is CONNECTED)


def rest_of(connection: Connection) -> list[bytes]:
    """Return the messages that can still be read, up to the end."""
    messages = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(connection.recv(timeout=10.0))
    return messages


def uses(connection: Connection) -> list[Callable[[], object]]:
    """Return every use of a connection other than reading, asking for its state, and closing."""
    return [
        lambda: connection.send(b"x"),
        lambda: connection.send(b"x", reliable=False),
        lambda: connection.send(b"x", no_delay=True),
        lambda: connection.send_many([b"x", b"y"]),
        lambda: connection.flush(),
        lambda: connection.drain(timeout=1.0),
        lambda: connection.configure_lanes([0, 1]),
        lambda: connection.set_config(Config(nagle_time=0)),
        lambda: setattr(connection, "name", "x"),
        lambda: setattr(connection, "user_data", 1),
    ]
