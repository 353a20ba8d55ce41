"""The events that poll() and callbacks receive."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from gns_py import (
    ConnectionInfo,
    ConnectionRequest,
    ConnectionState,
    InfoFlags,
    Message,
    MessageReceived,
    Result,
    SendFailed,
    StatusChanged,
)
from gns_py.sync import Connection, socket_pair

ALIVE = {ConnectionState.CONNECTING, ConnectionState.FINDING_ROUTE, ConnectionState.CONNECTED}


def info(state: ConnectionState, code: int = 0, text: str = "") -> ConnectionInfo:
    return ConnectionInfo(state, None, "invalid", "", code, text, InfoFlags(0), -1)


def changed(connection: Any, new: ConnectionState, code: int = 0) -> StatusChanged[Any]:
    return StatusChanged(connection, ConnectionState.CONNECTED, new, info(new, code, "why"), 1)


@pytest.mark.parametrize("state", [*ConnectionState, ConnectionState(77)])
def test_only_the_change_that_ends_a_connection_has_an_end(state: ConnectionState) -> None:
    event = changed(None, state, 0 if state in ALIVE else 1234)
    if state in ALIVE:
        assert event.end is None
    else:
        assert event.end is not None
        assert (event.end.code, event.end.text) == (1234, "why")


def test_events_are_frozen_and_made_for_match_statements() -> None:
    one, other = socket_pair()
    with one, other:
        message = Message(b"data", 1, 0, True, 5)
        events: list[Any] = [
            changed(one, ConnectionState.CLOSED_BY_PEER, 1000),
            ConnectionRequest(one),
            MessageReceived(one, message),
            SendFailed(one, 7, Result.FAIL),
        ]
        for event in events:
            with pytest.raises(dataclasses.FrozenInstanceError):
                event.connection = other

        def describe(event: Any) -> str:
            match event:
                case StatusChanged(connection, old, new) if connection is one:
                    return f"{old} {new}"
                case ConnectionRequest(connection) if isinstance(connection, Connection):
                    return "request"
                case MessageReceived(Connection(), Message(data, number)):
                    return f"{data!r} {number}"
                case SendFailed(_, number, result):
                    return f"{number} {result}"
            return "nothing"

        assert [describe(event) for event in events] == ["CONNECTED CLOSED_BY_PEER", "request", "b'data' 1", "7 FAIL"]
