"""The records that poll() and callbacks give."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from gns_py import (
    ClosedBy,
    ConnectionEnd,
    ConnectionInfo,
    ConnectionRequest,
    ConnectionState,
    EndReason,
    EndReasonRange,
    InfoFlags,
    Message,
    MessageReceived,
    Result,
    SendFailed,
    StatusChanged,
)
from gns_py.events import end_of
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


@pytest.mark.parametrize(
    ("state", "closed_by"),
    [
        (ConnectionState.NONE, ClosedBy.LOCAL),
        (ConnectionState.CLOSED_BY_PEER, ClosedBy.PEER),
        (ConnectionState.PROBLEM_DETECTED_LOCALLY, ClosedBy.PROBLEM),
        (ConnectionState(77), ClosedBy.PROBLEM),
    ],
)
def test_who_ended_it_follows_from_the_state(state: ConnectionState, closed_by: ClosedBy) -> None:
    assert end_of(info(state, 1000)).closed_by is closed_by


@pytest.mark.parametrize(
    ("code", "range_", "ok", "can_retry"),
    [
        (1000, EndReasonRange.APP, True, False),
        (1001, EndReasonRange.APP, True, True),
        (1999, EndReasonRange.APP, True, False),
        (2000, EndReasonRange.APP_EXCEPTION, False, False),
        (2003, EndReasonRange.APP_EXCEPTION, False, True),
        (3001, EndReasonRange.LOCAL, False, False),
        (4001, EndReasonRange.REMOTE, False, True),
        (5003, EndReasonRange.MISC, False, True),
        (9999, EndReasonRange.INTERNAL, False, True),
        (77, EndReasonRange.UNKNOWN, False, False),
    ],
)
def test_what_the_code_of_an_end_says(code: int, range_: EndReasonRange, ok: bool, can_retry: bool) -> None:
    end = ConnectionEnd(ClosedBy.PEER, code, "")
    assert end.reason is EndReason(code) or end.reason == EndReason(code)
    assert (end.range, end.ok, end.can_retry) == (range_, ok, can_retry)
    assert str(end).startswith(f"closed by the peer, {code} {end.reason.name}")


def test_an_end_is_a_value() -> None:
    end = ConnectionEnd(ClosedBy.LOCAL, 1000, "bye")
    assert end == ConnectionEnd(ClosedBy.LOCAL, 1000, "bye") != ConnectionEnd(ClosedBy.PEER, 1000, "bye")
    assert hash(end) == hash(copy.copy(end))
    assert pickle.loads(pickle.dumps(end)) == end


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


def test_a_message_is_a_tuple() -> None:
    data, number, lane, reliable, received_us = message = Message(b"data", 1, 0, True, 5)
    assert (data, number, lane, reliable, received_us) == (b"data", 1, 0, True, 5)
    assert message.data == b"data"
