"""The handshake of an authenticated client, recorded, and sent again by an observer: a connection, and no more."""

from __future__ import annotations

import queue

import pytest
from support import PATIENCE, Api, eventually
from support.certificates import TestAuthority
from support.certified import start
from support.relay import Relay
from support.strangers import Strangers

from gns_py import Config, ConnectionClosed
from gns_py.sync import Connection

TIMEOUT = 10.0 * PATIENCE


def test_a_replayed_handshake(api: Api, authority: TestAuthority) -> None:
    """The connection that a server reports then does not prove presence; the live client does not suffer."""
    issued = authority.issue("str:alice")
    start(issued, authority.root)
    arrived: queue.Queue[tuple[str, bool, bytes | None]] = queue.Queue()
    handled: queue.Queue[bytes | str] = queue.Queue()

    def handler(connection: Connection) -> None:
        arrived.put((str(connection.remote_identity), connection.authenticated, connection.remote_key))
        try:
            while True:
                data = connection.recv()
                handled.put(data)
                connection.send(data)
        except ConnectionClosed:
            handled.put("closed")

    def check_goes_on() -> None:
        client.send(b"still here")
        assert client.recv(timeout=TIMEOUT) == handled.get(timeout=TIMEOUT) == b"still here"

    config = Config(timeout_connected=round(1_000 * PATIENCE))
    with (
        api.serve(handler, "127.0.0.1", 0, config=config, require_authentication=True) as server,
        Relay(server.address) as relay,
        api.connect("127.0.0.1", relay.port) as client,
    ):
        check_goes_on()
        alice = ("str:alice", True, issued.key)
        assert arrived.get(timeout=TIMEOUT) == alice
        relay.replay()
        check_goes_on()
        assert arrived.empty()
        with Strangers(server.address, ["127.0.0.1"], relay.recorded) as observer:
            observer.ask()
            eventually(lambda: observer.look(0.05).accepted == 1, TIMEOUT)
            assert arrived.get(timeout=TIMEOUT) == alice  # so it seems
            assert len(server.connections) == 2
            check_goes_on()
            eventually(lambda: len(server.connections) == 1, TIMEOUT)
        assert handled.get(timeout=TIMEOUT) == "closed"  # not one message of it
        check_goes_on()
    with pytest.raises(queue.Empty):
        arrived.get_nowait()
