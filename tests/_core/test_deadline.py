"""Deadlines, by their arguments and by the clock."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from gns_py._core.deadline import Deadline


@pytest.mark.parametrize("timeout", [None, 1e9, 1e300, math.inf])
def test_long_times_are_no_limit(timeout: float | None) -> None:
    deadline = Deadline(timeout)
    assert deadline.remaining() is None
    assert not deadline.is_over()
    later = deadline.later(1.0)
    assert later.remaining() is None
    assert not later.is_over()


def test_it_is_over_when_nothing_remains() -> None:
    deadline = Deadline(0.05)
    assert not deadline.is_over()
    assert 0.0 < (deadline.remaining() or 0.0) <= 0.05
    time.sleep(0.06)
    assert deadline.is_over()
    assert deadline.remaining() == 0.0


def test_a_later_one_leaves_the_first_as_it_was() -> None:
    deadline = Deadline(0)
    later = deadline.later(10.0)
    assert deadline.is_over()
    assert not later.is_over()
    assert 9.0 < (later.remaining() or 0.0) <= 10.0


@pytest.mark.parametrize(
    ("timeout", "exception", "text"),
    [
        (-1, ValueError, "timeout is -1: it must not be negative"),
        (math.nan, ValueError, "timeout is nan: it must not be negative"),
        ("1", TypeError, "timeout must be seconds or None, not str"),
        (True, TypeError, "timeout must be seconds or None, not bool"),
    ],
)
def test_wrong_times(timeout: Any, exception: type[Exception], text: str) -> None:
    with pytest.raises(exception) as wrong:
        Deadline(timeout)
    assert str(wrong.value) == text
