"""Streams of sessions, below the session."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import gns_py
from gns_py import _native

from .conftest import Ends, make_ends


@pytest.fixture
def two_pairs() -> Iterator[tuple[Ends, Ends]]:
    """Yield two pairs."""
    with make_ends() as first, make_ends() as second:
        yield first, second


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


def test_both_directions_go_on_with_another_connection(two_pairs: tuple[Ends, Ends]) -> None:
    first, second = two_pairs
    streams = [_native.stream_open(end.handle, 1000, 10_000, 100) for end in first]
    for stream in streams:
        _native.stream_allow(stream, 1000, 10_000, 100)
        _native.stream_keep(stream, 10_000, 100)
    for end in first:
        for number in (1, 2, 3):
            assert _native.send(end.handle, b"old", 3, DATA, 0) == number
    handled = (1, 3)
    for end in first:
        assert [end.receive(_native.EVENT_DATA)[0][1] for _ in range(3)] == [1, 2, 3]
    assert [_native.stream_detach(stream) for stream in streams] == [0, 0]
    held = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        sending = [pool.submit(send_until_taken, second.here.handle, held) for _ in range(3)]
        assert held.wait(5)
        assert _native.send(first.here.handle, b"x", 1, DATA, 0) == _native.HELD
        for i, (stream, end) in enumerate(zip(streams, second, strict=True)):
            _native.stream_resume(stream, end.handle, [handled[i]])
            _native.stream_acked(stream, [handled[1 - i]])
        assert [_native.stream_kept(stream) for stream in streams] == [(0, 0), (6, 2)]
        assert [_native.stream_replay(stream) for stream in streams] == [0, 0]
        assert sorted(each.result() for each in sending) == [4, 5, 6]
    assert [second.there.receive(_native.EVENT_DATA)[0][1] for _ in range(3)] == [4, 5, 6]
    assert _native.send(second.there.handle, b"new", 3, DATA, 0) == 4
    record, payload = second.here.receive(_native.EVENT_DATA)  # no duplicates before it
    assert (record[1], payload) == (4, b"new")


def test_errors_of_a_resume_are_raised(two_pairs: tuple[Ends, Ends]) -> None:
    first, second = two_pairs
    stream = _native.stream_open(first.here.handle, 1000, 1, 1)
    with pytest.raises(gns_py.InvalidStateError):
        _native.stream_resume(stream, first.here.handle, [])
    with pytest.raises(ValueError, match="range"):
        _native.stream_resume(stream, second.here.handle, [1])
    _native.stream_detach(stream)
    with pytest.raises(_native.ConnectionGoneError):
        _native.stream_replay(stream)
    _native.stream_close(stream)
    with pytest.raises(_native.ConnectionGoneError):
        _native.stream_resume(stream, second.here.handle, [])


def send_until_taken(connection: int, held: threading.Event) -> int:
    """Send DATA as soon as it is no longer held. Return its number."""
    while (number := _native.send(connection, b"during", 6, DATA, 0)) == _native.HELD:
        held.set()
        time.sleep(0.001)
    return int(number)
