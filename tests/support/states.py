"""What tests of the states of connections share."""

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

# At GNS's default rate, 256 KiB/s, about as much as goes out in 0.8 s.
LARGE = 50
CHUNK = bytes(4096)

CLIENT = """
    import sys, gns_py.sync as gns
    connection = gns.connect("127.0.0.1", int(sys.argv[1]), timeout=5)
"""


def begin(api: Api, listener: ListenSocket, timeout: float = 5.0) -> Connection:
    """A client that nobody has accepted yet."""
    return api.connect("127.0.0.1", listener.address.port, timeout=timeout, wait=False)


def established(connection: Connection) -> None:
    """Waits until it is."""
    eventually(lambda: connection.state is CONNECTED)


def rest_of(connection: Connection) -> list[bytes]:
    """What can still be read of a connection, to its end."""
    messages = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(connection.recv(timeout=10.0))
    return messages


def uses(connection: Connection) -> list[Callable[[], object]]:
    """What can be done with a connection, other than reading it, asking how it is, and closing it."""
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
