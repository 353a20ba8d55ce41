"""One end's part in a session, as far as it is the same in all APIs: its messages, and its records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from gns_py import Message
from gns_py.session import SessionEnd

from .history import History, end_fields
from .plans import Outgoing, Plan, decode, view_of


class Part:
    """One end's part.

    Args:
        history: The history of the process.
        plan: The session's plan.
        side: client or server.
        number: Of a durable session at a server: which one of the process it is.
    """

    def __init__(self, history: History, plan: Plan, side: str, number: int | None = None) -> None:
        self.plan = plan
        self.side = side
        self._recorded_side = side if number is None else f"{side}/{number}"
        self._history = history
        self._peer = "server" if side == "client" else "client"
        self._missing = plan.after if plan.closer == self._peer else plan.counts[self._peer]
        self.closes = plan.closer == side

    @property
    def has_everything(self) -> bool:
        """True once all that the other end sends has been handled."""
        return self._missing <= 0

    def write(self, kind: str, *fields: object) -> None:
        """Append a record to the history."""
        self._history.write(kind, self.plan.name, self._recorded_side, fields)

    @contextmanager
    def sending(self, burst: list[Outgoing]) -> Iterator[dict[int, int]]:
        """Write down a burst before and after it is sent; the block notes in the result what was accepted."""
        accepted: dict[int, int] = {}
        self.write("try", *_fields({each.lane: each.number for each in burst}))
        try:
            yield accepted
        finally:
            if accepted:
                self.write("sent", *_fields(accepted))

    def accepted(self, each: Outgoing, number: int, accepted: dict[int, int]) -> None:
        """Note that send() has accepted a message, and given it this number."""
        accepted[each.lane] = each.number
        if number != each.number:
            self.write("bad", f"send() calls message {each.number} of lane {each.lane} {number}")

    def handled(self, messages: Iterable[Message]) -> None:
        """Write down messages that recv() has returned."""
        self.note(messages)

    def note(self, messages: Iterable[Message]) -> list[tuple[int, int]]:
        """Write down messages that recv() has returned, and return their lanes and numbers."""
        numbers, fields = [], []
        for message in messages:
            try:
                number = decode(message.data, self.plan.name, self._peer, message.lane)
            except ValueError as error:
                self.write("bad", error)
                continue
            if number != message.number:
                self.write("bad", f"recv() calls message {number} of lane {message.lane} {message.number}")
            numbers.append((message.lane, number))
            view = view_of(message.data)
            fields.append(f"{message.lane}:{number}:{view}" if view else f"{message.lane}:{number}")
        if fields:
            self.write("got", *fields)
        self._missing -= len(fields)
        return numbers

    def on_dropped(self, _: object, why: SessionEnd) -> None:
        """Write down an outage."""
        self.write("dropped", why.reason.name)

    def on_resumed(self, _: object, replayed: int) -> None:
        """Write down the end of an outage."""
        self.write("resumed", replayed)

    def ended(self, end: SessionEnd, drops: int, time_dropped: float) -> None:
        """Write down the end."""
        self.write("end", *end_fields(end, drops, time_dropped))

    def fault(self) -> None:
        """Write down the exception that is being handled."""
        self._history.fault(self.plan.name, self._recorded_side)


def _fields(numbers: dict[int, int]) -> list[str]:
    return [f"{lane}:{number}" for lane, number in numbers.items()]
