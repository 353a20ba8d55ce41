"""Sending: codes on the hot path, exceptions elsewhere."""

from __future__ import annotations

import array
from typing import Any

import pytest

from gns_py import Result, _native

from .conftest import Ends

RELIABLE = _native.SEND_RELIABLE


def test_several_messages_in_one_call(ends: Ends) -> None:
    assert _native.send_many(ends.here.handle, b"onetwo!", [3, 4], RELIABLE, 0) == (2, 1, 0)
    assert [ends.there.receive(_native.EVENT_MESSAGE)[1] for _ in range(2)] == [b"one", b"two!"]


def test_sending_returns_codes(ends: Ends) -> None:
    here = ends.here.handle
    assert _native.send(here, b"x", 1, RELIABLE, 7) == -Result.INVALID_PARAM
    assert _native.send_many(here, b"xx", [1, 1], RELIABLE, 7)[::2] == (0, -Result.INVALID_PARAM)
    results = _native.broadcast([here, 12345], b"x", 1, RELIABLE, 0)
    assert results[0] == 1
    assert results[1] in _native.GONE


def test_lanes_the_queue_and_its_draining(ends: Ends) -> None:
    here = ends.here.handle
    _native.configure_lanes(here, [0, 1], [1, 1])
    assert _native.send(here, b"x", 1, RELIABLE, 1) == 1
    _native.flush(here)
    assert ends.there.receive(_native.EVENT_MESSAGE)[1] == b"x"  # in memory, only the reader frees it
    assert _native.wait_drained(here, 5_000_000, 0, 0) == 1
    assert _native.send_queue(here)[:3] == (0, 0, 0)
    _native.notify_drained(here, 0, 0)
    ends.here.receive(_native.EVENT_DRAINED)
    with pytest.raises(ValueError, match=r"\w"):
        _native.configure_lanes(here, [0, 1], [0, 0])


@pytest.mark.parametrize(
    ("data", "size"), [(b"abc", 3), (bytearray(b"abc"), 3), (memoryview(b"abc")[:2], 2), (array.array("I", [1, 2]), 8)]
)
def test_any_contiguous_buffer_is_readable(data: Any, size: int) -> None:
    with _native.readable(data) as view:
        assert len(view) == size


@pytest.mark.parametrize("data", ["text", 5, None, [1], memoryview(b"abcd")[::2]])
def test_everything_else_is_refused(data: Any) -> None:
    with pytest.raises(TypeError, match="a message is bytes"):
        _native.readable(data)
