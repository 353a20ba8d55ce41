"""Compares the histories of both ends of each session, in one pass over the records.

For each session, direction and lane: the messages that were handled are 1, 2, 3, ... in this order, each once, and each
was sent; an end that is ok has lost nothing in either direction; and the reasons of both ends agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from .history import Record
from .settings import BATCH, LANES

# An end that has these says nothing about what the other end knows: it heard no more of it.
UNKNOWING = frozenset({"SESSION_EXPIRED", "FAILED_OVER"})
GIVEN_UP = "ABORTED"
LOST = "LOST_MESSAGES"
# A session ends with these only by a fault of ours, whatever the nemesis does. But LOST_MESSAGES has its place if it is
# durable, and the store has lost data.
FAULTS = frozenset(
    {
        LOST,
        "INTERNAL_ERROR",
        "INVALID_INBOUND_MESSAGE",
        "PROTOCOL_ERROR",
        "AUTHENTICATION_FAILED",
        "VERSION_MISMATCH",
        "MESSAGE_TOO_LARGE",
        "MESSAGE_QUEUE_LIMIT_REACHED",
        "CONNECTION_LOST",
        "CLIENT_UNRESPONSIVE",
        "IO_EXCEPTION",
    }
)


@dataclass
class End:
    """One end of a session, as its process has recorded it."""

    process: str
    """The one that has it."""
    id: str = ""
    began_at: float = 0.0
    """When the client has begun to connect; 0: not at all."""
    is_exact: bool = False
    """True if the numbers are right though the process was killed."""
    refused: str = ""
    opened: bool = False
    tried: list[int] = field(default_factory=lambda: [0] * LANES)
    sent: list[int] = field(default_factory=lambda: [0] * LANES)
    got: list[int] = field(default_factory=lambda: [0] * LANES)
    """The highest number on each lane."""
    got_from: dict[str, list[int]] = field(default_factory=dict)
    """The same by the server that has sent them, if the session is durable."""
    closing: str = ""
    reason: str = ""
    """Empty: it has recorded no end."""
    ended_at: float = 0.0
    ok: bool = False
    closed_by: str = ""
    text: str = ""

    @property
    def is_closer(self) -> bool:
        """True if it has dropped what arrived after its own goodbye."""
        return bool(self.closing) or self.closed_by == "LOCAL"


@dataclass
class Totals:
    """The figures of the table."""

    messages: int = 0
    to_clients: int = 0
    """How many of them clients have handled."""
    sessions: int = 0
    drops: int = 0
    resumes: int = 0
    replayed: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0
    foreign: int = 0
    commits: int = 0
    unanswered: int = 0
    """Commits of which their server does not know whether they are stored."""
    failovers: int = 0
    """How often a server has gone on with a session of another one, or of its own that it had lost."""
    repeated: int = 0
    """Messages that were handled again, since that was not committed."""
    losses: int = 0
    """How often the store could lose data."""
    explicit: int = 0
    """Ends with LOST_MESSAGES of sessions that lived then."""
    refused: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: Totals) -> None:
        """Add those of another round."""
        for name, value in vars(other).items():
            if isinstance(value, int):
                setattr(self, name, getattr(self, name) + value)
            else:
                getattr(self, name).update(value)


class Checker:
    """Reads the histories of one run, then judges it."""

    def __init__(self) -> None:
        self.totals = Totals()
        self.wrong: list[str] = []
        self._ends: dict[tuple[str, str], End] = {}
        self._notes: dict[str, Callable[[End, Record], None]] = {
            "got": self._got,
            "try": lambda end, record: _raise_to(end.tried, record.fields),
            "sent": lambda end, record: _raise_to(end.sent, record.fields),
            "dropped": self._dropped,
            "resumed": self._resumed,
            "end": self._end,
            "begin": lambda end, record: setattr(end, "began_at", record.at),
            "open": self._open,
            "refused": self._refused,
            "close": lambda end, record: setattr(end, "closing", record.fields[0]),
            "bad": self._bad,
            "fault": self._bad,
        }

    def read(self, records: Iterable[tuple[str, Record]]) -> None:
        """Read records of all processes, each with the name of its process, in the order of time."""
        for process, record in records:
            self._notes[record.kind](self._end_of(process, record), record)

    def _end_of(self, process: str, record: Record) -> End:
        key = (record.session, record.side)
        end = self._ends.get(key)
        if end is None:
            end = self._ends[key] = End(process)
        return end

    # ---- records ----

    def _open(self, end: End, record: Record) -> None:
        end.opened = True
        end.id = record.fields[0] if record.fields else ""

    def _got(self, end: End, record: Record) -> None:
        totals = self.totals
        for each in record.fields:
            lane, text, *view = each.split(":")
            number, before = int(text), end.got[int(lane)]
            if view:
                _raise_to(end.got_from.setdefault(view[0], [0] * LANES), [each])
            if number == before + 1:
                end.got[int(lane)] = number
                totals.messages += 1
                totals.to_clients += record.side == "client"
                continue
            where = f"{record.session} {record.side} at {record.at:.3f}: message {number} of lane {lane} after {before}"
            if number > before:
                totals.lost += number - before - 1
                end.got[int(lane)] = number
                self.wrong.append(f"{where}: a gap")
            elif number == before:
                totals.doubled += 1
                self.wrong.append(f"{where}: doubled")
            else:
                totals.out_of_order += 1
                self.wrong.append(f"{where}: out of order, or doubled")

    def _dropped(self, _end: End, _record: Record) -> None:
        self.totals.drops += 1

    def _resumed(self, _: End, record: Record) -> None:
        self.totals.resumes += 1
        self.totals.replayed += int(record.fields[0])

    def _refused(self, end: End, record: Record) -> None:
        end.refused = record.fields[0]
        self.totals.refused[end.refused] += 1

    def _bad(self, _: End, record: Record) -> None:
        self.totals.foreign += record.kind == "bad"
        self.wrong.append(f"{record.session} {record.side} at {record.at:.3f}: {' '.join(record.fields)}")

    def _end(self, end: End, record: Record) -> None:
        if end.reason:
            self.wrong.append(f"{record.session} {record.side}: two ends: {end.reason}, then {record.fields}")
        end.reason, ok, end.closed_by = record.fields[:3]
        end.ok = ok == "ok"
        end.ended_at = record.at
        end.text = " ".join(record.fields[3:])

    # ---- the verdict ----

    def judge(self, killed: Iterable[str]) -> None:
        """Compare the ends of each session.

        Args:
            killed: The processes that were killed.
        """
        gone = set(killed)
        for session in sorted({session for session, _ in self._ends if session != "-"}):
            client, server = self._ends.get((session, "client")), self._ends.get((session, "server"))
            self.wrong += [f"{session}: {each}" for each in self._judge_session(client, server, gone)]

    def _judge_session(self, client: End | None, server: End | None, killed: set[str]) -> Iterator[str]:
        shown = f"{_shown(client, killed)} / {_shown(server, killed)}"
        if client is None or not client.began_at:
            yield f"the server has a session that no client began: {shown}"
            return
        self.totals.sessions += client.opened
        for name, end, peer in (("client", client, server), ("server", server, client)):
            if end is None or not end.opened:
                continue
            for wrong in self._judge_end(end, peer, killed):
                yield f"{name}: {wrong}: {shown}"
        if client.reason and server is not None and server.reason:
            self.totals.pairs[_named(client), _named(server)] += 1
            if not self._agree(client, server):
                yield f"the reasons do not agree: {shown}"

    def _agree(self, client: End, server: End) -> bool:
        """Return whether both ends know the same reason, as far as they can know it.

        They cannot if each has ended the session by itself while it had no connection. And the last confirmation of a
        goodbye may be lost: the end that waits for it cannot know whether its own goodbye has arrived, and gives up.
        """
        if client.reason == server.reason or any(
            each.reason in UNKNOWING or self._is_excused(each) for each in (client, server)
        ):
            return True
        if client.ok or server.ok:
            other = server if client.ok else client
            return not other.ok and other.reason == GIVEN_UP and other.closed_by == "LOCAL"
        return client.closed_by == server.closed_by == "LOCAL"

    def _is_excused(self, end: End) -> bool:  # noqa: ARG002
        """Return whether an end has its reason though it is one of the faults."""
        return False

    def _judge_end(self, end: End, peer: End | None, killed: set[str]) -> Iterator[str]:
        is_killed = end.process in killed and not end.reason
        self.totals.ends["killed" if is_killed else _named(end)] += 1
        if not is_killed and not end.reason:
            yield "it has not ended"
        is_excused = self._is_excused(end)
        self.totals.explicit += is_excused
        if end.reason in FAULTS and not is_excused:
            yield f"it ended with {end.reason}"
        sent = [0] * LANES if peer is None else peer.tried
        if foreign := sum(max(0, got - tried) for got, tried in zip(end.got, sent, strict=True)):
            self.totals.foreign += foreign
            yield f"it handled {foreign} messages that were not sent"
        if not end.ok:
            return
        if peer is None or not peer.opened:
            yield "it is ok, and there never was another end"
            return
        # A process that was killed may have handled a batch, or sent a burst, that it has not written down.
        spared = BATCH if peer.process in killed and not peer.reason and not peer.is_exact else 0
        if not end.is_closer and (missing := _missing(end.got, peer.sent)):
            self.totals.lost += missing
            yield f"it is ok, and has not handled {missing} messages of the other end"
        if not peer.is_closer and (missing := _missing(peer.got, end.sent)) > spared:
            self.totals.lost += missing
            yield f"it is ok, and the other end has not handled {missing} messages"
        if end.closing == "complete" and (missing := _missing(end.got, peer.sent)):
            self.totals.lost += missing
            yield f"it had everything, but {missing} messages"


def _missing(got: list[int], sent: list[int]) -> int:
    return sum(max(0, there - here) for here, there in zip(got, sent, strict=True))


def _raise_to(numbers: list[int], fields: list[str]) -> None:
    for each in fields:
        lane, number = each.split(":")[:2]
        numbers[int(lane)] = max(numbers[int(lane)], int(number))


def _named(end: End) -> str:
    return f"{end.reason}{' ok' if end.ok else ''}"


def _shown(end: End | None, killed: set[str]) -> str:
    if end is None:
        return "never there"
    process = f"{end.process}{' (killed)' if end.process in killed else ''}"
    if not end.opened:
        return f"{process}: not open, {end.refused}"
    return (
        f"{process}: {_named(end) or 'no end'} by {end.closed_by} {end.text!r}, closing {end.closing or 'not'}, "
        f"sent {end.sent}, handled {end.got}"
    )
