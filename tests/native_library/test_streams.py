"""Streams of sessions, below the session."""

from __future__ import annotations

from gns_py import _native

from .conftest import Ends

DATA = _native.SEND_FRAMED | _native.SEND_RELIABLE


def test_data_flows_within_its_credit(ends: Ends) -> None:
    here, there = ends
    out, into = _native.stream_open(here.handle, 1, 1, 1), _native.stream_open(there.handle, 1000, 10_000, 10)
    assert _native.send(here.handle, b"x", 1, DATA, 0) == _native.HELD
    _native.stream_allow(out, 1000, 10_000, 1)
    assert _native.send(here.handle, b"data", 4, DATA, 0) == 1
    assert _native.send(here.handle, b"more", 4, DATA, 0) == _native.HELD
    record, payload = there.receive(_native.EVENT_DATA)
    assert (record[1], payload) == (1, b"data")
    assert _native.stream_sent(out, 1) == [1]
    assert 0 < _native.stream_heard(into) <= _native.time_us()


def test_nothing_is_raised_once_the_stream_is_gone(ends: Ends) -> None:
    stream = _native.stream_open(ends.here.handle, 1000, 1, 1)
    _native.stream_close(stream)
    _native.stream_close(stream)
    _native.stream_allow(stream, 1000, 1, 1)
    _native.stream_hold(stream, _native.HOLD_ALL)
    _native.stream_acked(stream, [1])
    assert _native.stream_detach(stream) < 0
    assert _native.stream_sent(stream, 1) is None
    assert _native.stream_heard(stream) < 0
    assert _native.stream_grant(stream, 1) == (0, 0)
    assert _native.stream_kept(stream) == (0, 0)


def test_a_connection_that_is_gone_gets_no_stream(ends: Ends) -> None:
    _native.close(ends.here.handle, 1000, b"", False)
    assert _native.stream_open(ends.here.handle, 1000, 1, 1) == 0
