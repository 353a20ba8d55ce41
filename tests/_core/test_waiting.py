"""Taking from queues: by number, by kind, and with an exception in the middle of it."""

from __future__ import annotations

from collections import deque

import pytest

from gns_py._core.waiting import take, take_matching


def is_even(number: int) -> bool:
    return number % 2 == 0


@pytest.mark.parametrize(("limit", "taken"), [(None, 5), (1, 1), (3, 3), (5, 5), (6, 5)])
def test_take_returns_the_oldest(limit: int | None, taken: int) -> None:
    waiting = deque(range(5))
    assert take(waiting, limit) == list(range(taken))
    assert list(waiting) == list(range(taken, 5))


def test_take_from_an_empty_queue() -> None:
    assert take(deque()) == []
    assert take_matching(deque(), is_even) == []


@pytest.mark.parametrize(("limit", "taken"), [(None, [0, 2, 4]), (1, [0]), (2, [0, 2]), (3, [0, 2, 4]), (9, [0, 2, 4])])
def test_take_matching_keeps_the_rest_in_order(limit: int | None, taken: list[int]) -> None:
    waiting = deque(range(6))
    assert take_matching(waiting, is_even, limit) == taken
    assert list(waiting) == [each for each in range(6) if each not in taken]


def test_an_exception_puts_back_what_was_taken() -> None:
    """A signal handler may raise between any two calls."""
    waiting = deque(range(6))

    def interrupted(number: int) -> bool:
        if number == 3:
            raise KeyboardInterrupt
        return is_even(number)

    with pytest.raises(KeyboardInterrupt):
        take_matching(waiting, interrupted)
    assert sorted(waiting) == list(range(6))


def test_a_queue_that_is_cleared_meanwhile_ends_the_taking() -> None:
    waiting = deque(range(6))

    def clearing(number: int) -> bool:
        if number == 3:
            waiting.clear()
            return True
        return is_even(number)

    assert take_matching(waiting, clearing) in ([0, 2], [0, 2, 3])
    assert not waiting
