"""Frames of sessions, below the session."""

from __future__ import annotations

from gns_py import _native

from .conftest import Ends

FRAMED = _native.SEND_FRAMED | _native.SEND_RELIABLE


def test_data_flows_within_its_credit(ends: Ends) -> None:
    here, there = ends
    _native.framing_begin(there.handle, 1000, 10_000, 10)
    assert _native.send(here.handle, b"x", 1, FRAMED, 0) == _native.HELD
    _native.framing_allow(here.handle, 1000, 10_000, 1)
    assert _native.send(here.handle, b"data", 4, FRAMED, 0) == 1
    assert _native.send(here.handle, b"more", 4, FRAMED, 0) == _native.HELD
    record, payload = there.receive(_native.EVENT_DATA)
    assert (record[1], payload) == (1, b"data")
    assert _native.framing_sent(here.handle, 1) == [1]
    assert 0 < _native.framing_heard(there.handle) <= _native.time_us()


def test_nothing_is_raised_once_the_connection_is_gone(ends: Ends) -> None:
    handle = ends.here.handle
    _native.close(handle, 1000, b"", False)
    _native.framing_begin(handle, 1000, 1, 1)
    _native.framing_allow(handle, 1000, 1, 1)
    _native.framing_hold(handle, _native.HOLD_ALL)
    assert _native.framing_sent(handle, 1) is None
    assert _native.framing_heard(handle) < 0
    assert _native.framing_grant(handle, 1) == (0, 0)
