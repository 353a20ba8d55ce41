"""The time limits of closing: without progress, and in all."""

from __future__ import annotations

from itertools import count
from math import inf

from gns_py.session.protocol.closing import ClosingStatus, ClosingTimer

TIMEOUT = 4.0


def started(waiting_bytes: int = 0) -> ClosingTimer:
    timer = ClosingTimer(TIMEOUT)
    timer.start(0.0, waiting_bytes, (1,))
    return timer


def test_nothing_is_due_before_a_goodbye() -> None:
    timer = ClosingTimer(TIMEOUT)
    assert timer.next_at == inf
    assert timer.check(1e9, lambda: (1,)) is ClosingStatus.GOES_ON


def test_the_application_has_to_answer_before_the_peer_gives_up() -> None:
    timer = ClosingTimer(TIMEOUT)
    timer.wait_for_answer(1.0)
    assert 1.0 < timer.next_at < 1.0 + TIMEOUT
    timer.start(2.0, 0, ())
    assert timer.answer_at == inf


def test_without_progress_closing_is_over_after_the_timeout() -> None:
    timer = started()
    seen = []
    while ClosingStatus.OVER not in seen:
        now = timer.next_at
        seen.append(timer.check(now, lambda: (1,)))
    assert now == TIMEOUT
    assert seen == [ClosingStatus.STALLED] * 3 + [ClosingStatus.OVER]


def test_progress_is_measured_only_when_a_check_is_due() -> None:
    timer = started()
    assert timer.check(0.5, lambda: 1 // 0) is ClosingStatus.GOES_ON  # type: ignore[arg-type, return-value]


def test_with_progress_closing_is_over_after_twelve_timeouts_and_the_time_of_the_bytes() -> None:
    timer = started(waiting_bytes=32 * 1024)
    progress = count()
    while timer.check(now := timer.next_at, lambda: (next(progress),)) is not ClosingStatus.OVER:
        pass
    assert now == 12 * TIMEOUT + 2.0
