"""connect() where blocking differs: wait=False, callbacks in the thread that reads. For the rest see tests/contract."""

from __future__ import annotations

import threading

import pytest
from support import next_event, until_connected

import gns_py.sync as gns
from gns_py.sync import (
    Connection,
    ConnectionClosedOK,
    ConnectionRequest,
    ConnectionState,
    ListenSocket,
    StatusChanged,
)


def read(connection: Connection) -> None:
    list(connection)


def test_connecting_without_waiting(listener: ListenSocket) -> None:
    with gns.connect("127.0.0.1", listener.address.port, wait=False) as connection:
        assert connection.state is ConnectionState.CONNECTING
        next_event(listener, ConnectionRequest).accept()
        events = until_connected(connection)
        assert [event.new for event in events if isinstance(event, StatusChanged)] == [
            ConnectionState.CONNECTING,
            ConnectionState.CONNECTED,
        ]


def test_callbacks_are_called_in_the_thread_that_reads() -> None:
    told: list[tuple[str, int]] = []

    def on_status_changed(event: StatusChanged[Connection]) -> None:
        told.append((event.new.name, threading.get_ident()))

    with gns.serve(read, "127.0.0.1", 0) as server:
        with gns.connect("127.0.0.1", server.address.port, on_status_changed=on_status_changed) as connection:
            server.close()
            with pytest.raises(ConnectionClosedOK):
                connection.recv(timeout=5.0)
        me = threading.get_ident()
        assert told == [("CONNECTING", me), ("CONNECTED", me), ("CLOSED_BY_PEER", me)]
