"""The application's state of a durable session: what a server commits, and the next owner begins with."""

from __future__ import annotations

from typing import NamedTuple

from .settings import LANES

Numbers = tuple[int, ...]
"""The number of the last message of each lane."""
NONE: Numbers = (0,) * LANES


class State(NamedTuple):
    """The progress of the server's application."""

    view: str = "-"
    """The one that has committed it: the name of its process, a slash, a number; "-": nothing was committed."""
    commit: int = 0
    """Counts the commits of that view, from 1."""
    handled: Numbers = NONE
    sent: Numbers = NONE

    def __str__(self) -> str:
        """Return it without blanks, as a field of a record."""
        return f"{self.view}:{self.commit}:{_shown(self.handled)}:{_shown(self.sent)}"

    @classmethod
    def parse(cls, text: str) -> State:
        """Return the state that this is the text of."""
        view, commit, handled, sent = text.split(":")
        return cls(view, int(commit), _numbers(handled), _numbers(sent))


NOTHING = State()


def _shown(numbers: Numbers) -> str:
    return ",".join(map(str, numbers))


def _numbers(text: str) -> Numbers:
    return tuple(map(int, text.split(",")))
