"""A view goes on where the state that it begins with ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .history import History, read
from .plans import Outgoing, Plan
from .state import State
from .view import View

NAME = next(
    name for name in (f"c1_0-1.0.{number}" for number in range(99)) if Plan.of(name, 5.0).counts["server"] > 300
)
PLAN = Plan.of(NAME, 5.0)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path / "history")) as opened:
        yield opened


def send(view: View, count: int) -> list[tuple[int, int]]:
    """Send at least this many messages, or all that there are; return their lanes and numbers."""
    sent: list[Outgoing] = []
    while len(sent) < count and not view.has_sent_everything:
        burst = view.take_burst()
        for number, each in enumerate(burst):
            if len(sent) % 7 == 6 and number:  # there is no room
                view.put_back(burst[number:])
                break
            view.accepted(each, each.number, {})
            sent.append(each)
    return [(each.lane, each.number) for each in sent]


def test_the_next_view_goes_on_with_what_the_one_before_has_committed(history: History, tmp_path: Path) -> None:
    first = View(history, PLAN, "s1_0-1", 1, None)
    before = send(first, 50)
    assert first.is_dirty
    saved = first.begin_commit()
    first.committed()
    assert not first.is_dirty
    send(first, 20)  # lost: the next one sends them again
    second = View(history, PLAN, "s1_1-1", 4, saved)
    assert second.base == State.parse(saved.decode())
    after = send(second, 1_000_000)
    planned = [(each.lane, each.number) for burst in PLAN.bursts("server") for each in burst]
    assert before + after == planned
    state = State.parse(second.begin_commit().decode())
    assert (state.view, state.commit, sum(state.sent)) == ("s1_1-1/4", 1, len(planned))
    second.unanswered()
    kinds = [(each.kind, each.side) for each in read(tmp_path / "history")]
    assert kinds == [
        ("commit", "server/1"),
        ("committed", "server/1"),
        ("commit", "server/4"),
        ("unanswered", "server/4"),
    ]
