"""A server's part in a durable session: from the set-up or the claim on, until it ends there."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator

from gns_py import Message

from .history import History
from .part import Part
from .plans import Outgoing, Plan
from .settings import PATIENCE
from .state import NOTHING, State

_LONGEST_WAIT = 0.5
_MOST_AT_ONCE = 100
"""Of the bursts that have become due during a commit."""


class View(Part):
    """A server's side of a durable session. It says what is due; the caller does it.

    Args:
        history: The history of the process.
        plan: The session's plan.
        process: The name of the process.
        number: Counts the views of the process.
        saved: The session's saved_state.
    """

    def __init__(self, history: History, plan: Plan, process: str, number: int, saved: bytes | None) -> None:
        super().__init__(history, plan, "server", number)
        rng = random.Random(f"commits of {plan.name}")
        self.name = f"{process}/{number}"
        self.commits_in_ticks = rng.random() < 0.5
        """True: server.commit(), together with other sessions; False: session.commit()."""
        self._period = rng.choice((0.0, 0.02, 0.1, 0.4))
        self.base = NOTHING if saved is None else State.parse(saved.decode())
        self._handled = list(self.base.handled)
        self._sent = list(self.base.sent)
        self._missing -= sum(self._handled)
        self._bursts = self._bursts_after(sum(self._sent))
        self._next: list[Outgoing] | None = next(self._bursts, None)
        now = time.monotonic()
        self._burst_due = now
        self._commit_due = now
        self._heard = now
        self._commits = 0
        self._is_dirty = False

    def _bursts_after(self, count: int) -> Iterator[list[Outgoing]]:
        for burst in self.plan.bursts("server", self.name):
            if len(burst) > count:
                yield burst[count:]
            count = max(0, count - len(burst))

    # ---- what is due ----

    @property
    def wait(self) -> float:
        """The seconds until something is due.

        Raises:
            TimeoutError: Nothing has arrived, and there was nothing to do, for too long.
        """
        now = time.monotonic()
        if now - self._heard > PATIENCE:
            raise TimeoutError("nothing happens in this session")
        due = now + _LONGEST_WAIT
        if self._next is not None:
            due = min(due, self._burst_due)
        if self._is_dirty:
            due = min(due, self._commit_due)
        return max(0.001, due - now)

    @property
    def is_commit_due(self) -> bool:
        return self._is_dirty and time.monotonic() >= self._commit_due

    @property
    def is_dirty(self) -> bool:
        """True if something was done since the last commit that was stored."""
        return self._is_dirty

    @property
    def has_sent_everything(self) -> bool:
        return self._next is None

    @property
    def closes_now(self) -> bool:
        """True if it is this end that closes, and all of its messages were sent."""
        return self.closes and self.has_sent_everything

    # ---- messages ----

    def handled(self, messages: Iterable[Message]) -> None:
        """Write down messages, and count them."""
        for lane, number in (numbers := self.note(messages)):
            self._handled[lane] = number
        if numbers:
            self._heard = time.monotonic()
            self._is_dirty = True

    def take_burst(self) -> list[Outgoing]:
        """Return the messages that are due to be sent."""
        now = time.monotonic()
        due: list[Outgoing] = []
        while self._next is not None and self._burst_due <= now and len(due) < _MOST_AT_ONCE:
            due += self._next
            self._next = next(self._bursts, None)
            self._burst_due += self.plan.pause
            self._heard = now
        return due

    def put_back(self, rest: list[Outgoing]) -> None:
        """Have these sent later: there is no room for them before a commit, or before the client has read some."""
        self._next = rest if self._next is None else rest + self._next
        self._burst_due = time.monotonic() + 0.02
        self._commit_due = 0.0

    def accepted(self, each: Outgoing, number: int, accepted: dict[int, int]) -> None:
        """See Part."""
        super().accepted(each, number, accepted)
        self._sent[each.lane] = each.number
        self._is_dirty = True

    # ---- commits ----

    def begin_commit(self) -> bytes:
        """Write down a commit, and return its state."""
        self._commits += 1
        state = State(self.name, self._commits, tuple(self._handled), tuple(self._sent))
        self.write("commit", state)
        return str(state).encode()

    def committed(self) -> None:
        """Write down that the commit was stored."""
        self.write("committed", self._commits)
        self._is_dirty = False
        self._commit_due = time.monotonic() + self._period

    def unanswered(self) -> None:
        """Write down that it is not known whether the commit was stored."""
        self.write("unanswered", self._commits)
