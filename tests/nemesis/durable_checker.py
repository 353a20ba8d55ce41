"""Compares the histories of durable sessions: those of clients, and those of all servers that had a session in turn.

Each server's part is a *view*. It begins with the state that the store had, and what it does counts as far as it was
committed: what it has handled, or sent, after its last commit is done again by the next view. So the views that have
committed are a chain, in which each begins where the one before it was with its last commit; that one contains all
commits that were answered. Any other shape says that commits were lost, or that two owners acted. The client must have
handled only what was committed. The views' commits, taken together, are one end of the session, which is then compared
with the client's as that of any other session.

Where the store could lose data, a chain may go back, and sessions that lived then may end with LOST_MESSAGES.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from .checker import LOST, Checker, End
from .history import Record
from .settings import LANES
from .state import NONE, NOTHING, State


@dataclass
class View(End):
    """The records of one server about a session."""

    name: str = ""
    is_restored: bool = False
    opened_at: float = 0.0
    base: State = NOTHING
    """The state that it began with."""
    commits: list[State] = field(default_factory=list)
    """The numbers of the commits that were begun, 1, 2, 3, ..."""
    begun_at: list[float] = field(default_factory=list)
    answered: int = 0
    """The number of the last one that the store has confirmed."""

    def at(self, commit: int) -> State:
        """Return the state of a commit; 0: the one with which the view began."""
        return self.commits[commit - 1] if commit else self.base


@dataclass
class Loss:
    """A time in which the store may have lost data."""

    begins: float
    what: str
    ends: float = float("inf")


class DurableChecker(Checker):
    """Reads the histories of one run with a store, then judges it."""

    def __init__(self) -> None:
        super().__init__()
        self._views: defaultdict[str, dict[str, View]] = defaultdict(dict)
        """By session and name."""
        self._losses: list[Loss] = []
        self._scratch = End("-")
        self._notes |= {
            "commit": self._commit,
            "committed": self._committed,
            "unanswered": self._unanswered,
            "loss": self._loss,
        }

    # ---- records ----

    def _end_of(self, process: str, record: Record) -> End:
        _, _, number = record.side.partition("/")
        if not number:
            return super()._end_of(process, record)
        if number == "0":  # outages, as the server's callbacks are told of them
            return self._scratch
        name = f"{process}/{number}"
        views = self._views[record.session]
        view = views.get(name)
        if view is None:
            client = self._ends.get((record.session, "client"))
            began_at = 0.0 if client is None else client.began_at
            view = views[name] = View(process, name=name, began_at=began_at, is_exact=True)
        return view

    def _open(self, end: End, record: Record) -> None:
        super()._open(end, record)
        if isinstance(end, View):
            end.is_restored = record.fields[1] == "restored"
            end.opened_at = record.at
            end.base = State.parse(record.fields[2])
            end.got = list(end.base.handled)
            end.tried = list(end.base.sent)
            self.totals.failovers += end.is_restored

    def _got(self, end: End, record: Record) -> None:
        super()._got(end, record)
        if isinstance(end, View):
            return
        views = self._views[record.session]
        for each in record.fields:
            lane, number, name = each.split(":")
            view = views.get(name)
            if view is None or not view.commits or int(number) > view.commits[-1].sent[int(lane)]:
                where = f"{record.session} client at {record.at:.3f}"
                self.wrong.append(f"{where}: message {number} of lane {lane} was released before its commit by {name}")

    def _commit(self, end: End, record: Record) -> None:
        assert isinstance(end, View)
        state = State.parse(record.fields[0])
        if list(state.handled) != end.got or state.view != end.name or state.commit != len(end.commits) + 1:
            self.wrong.append(f"{record.session} {end.name}: commits {state} after {end.got}")
        end.commits.append(state)
        end.begun_at.append(record.at)

    def _committed(self, end: End, record: Record) -> None:
        assert isinstance(end, View)
        end.answered = int(record.fields[0])
        self.totals.commits += 1
        begun = end.begun_at[end.answered - 1]
        for loss in self._losses:
            if loss.what == "FLUSHALL" and end.opened_at < loss.begins and loss.ends < begun:
                self.wrong.append(f"{record.session} {end.name}: goes on at {record.at:.3f} after {loss.what}")

    def _unanswered(self, _: End, __: Record) -> None:
        self.totals.unanswered += 1

    def _loss(self, _: End, record: Record) -> None:
        what, cause = record.fields
        if what == "begins":
            self._losses.append(Loss(record.at, cause))
            self.totals.losses += 1
        else:
            self._losses[-1].ends = record.at

    # ---- the verdict ----

    def judge(self, killed: Iterable[str]) -> None:
        """Compare the ends of each session; see Checker."""
        gone = set(killed)
        self._ends.pop(("-", "-"), None)
        for session, views in self._views.items():
            client = self._ends.get((session, "client"))
            self.wrong += [f"{session}: {each}" for each in self._judge_views(session, client, views, gone)]
        super().judge(gone)

    def _judge_views(self, session: str, client: End | None, views: dict[str, View], killed: set[str]) -> Iterator[str]:
        sent = [0] * LANES if client is None else client.tried
        mine: dict[str, View] = {}
        for name, view in views.items():
            is_killed = view.process in killed and not view.reason
            if not view.reason and not is_killed:
                yield f"{name}: it has not ended"
            if any(got > tried for got, tried in zip(view.got, sent, strict=True)):
                yield f"{name}: it has handled {view.got}, and the client has sent {sent}"
            if client is not None and client.id and view.id == client.id:
                mine[name] = view
            elif tuple(view.got) != NONE:
                yield f"{name}: it has handled messages of a session that its client does not have"
        if not mine:
            return
        chain: list[tuple[View, int]] = []
        yield from self._follow(mine, chain)
        is_rolled_back = any(view.answered > last for view, last in chain) or len(chain) < sum(
            1 for view in mine.values() if view.answered
        )
        assert client is not None
        if client.ok or not is_rolled_back:
            yield from _judge_releases(client, chain)
        handled = sum(sum(view.got) - sum(view.base.handled) for view in mine.values())
        self._join(session, chain)
        last, number = chain[-1]
        again = handled - sum(last.at(number).handled)
        self.totals.repeated += again
        self.totals.messages -= again
        for view in mine.values():
            if view is not last and view.reason:
                self.totals.ends[f"{view.reason}, superseded"] += 1
                if view.reason == LOST and not self._is_excused(view):
                    yield f"{view.name}: it ended with {LOST}"

    def _follow(self, views: dict[str, View], chain: list[tuple[View, int]]) -> Iterator[str]:
        """Make the chain of the views, each with the number of its last commit in it; yield what is wrong."""
        heirs: defaultdict[str, list[View]] = defaultdict(list)
        for view in views.values():
            heirs[view.base.view].append(view)
            owner = views.get(view.base.view)
            if view.base.commit and (owner is None or view.base not in owner.commits[view.base.commit - 1 :][:1]):
                yield f"{view.name}: it begins with {view.base}, which was not committed"
        if sum(not view.is_restored for view in views.values()) > 1:  # none, if the first server died at once
            yield "two servers have begun it"
        before: View | None = None
        while found := heirs["-" if before is None else before.name]:
            acting = [each for each in found if each.answered or each.name in heirs]
            bases = {each.base.commit for each in found}
            last = max(bases)
            may_go_back = False
            if before is not None:
                first_heir = min(each.opened_at for each in found)
                may_go_back = self._could_lose(before.opened_at, max(each.opened_at for each in found))
                if before.answered > last and not may_go_back:
                    what = (
                        "two owners act" if before.begun_at[before.answered - 1] > first_heir else "a commit was lost"
                    )
                    shown = f"{before.name} has committed {before.at(before.answered)}"
                    yield f"{what}: {shown}, and the next one begins with {[str(each.base) for each in found]}"
            elif len(found) > 1:
                may_go_back = self._could_lose(found[0].opened_at, max(each.opened_at for each in found))
            if (len(acting) > 1 or len(bases) > 1) and not may_go_back:
                yield f"two owners act: {[(each.name, str(each.base), each.answered) for each in found]}"
            heir = max(acting if acting and not may_go_back else found, key=lambda each: each.opened_at)
            if before is not None:
                chain.append((before, heir.base.commit))
            before = heir
        if before is not None:
            chain.append((before, len(before.commits)))

    def _join(self, session: str, chain: list[tuple[View, int]]) -> None:
        """Make one end of all views in the chain."""
        last, number = chain[-1]
        end = replace(last)
        end.got = list(last.at(number).handled)
        end.sent = list(last.at(last.answered).sent)
        end.closing = next((view.closing for view, _ in chain if view.closing), "")
        for view, _ in chain:
            end.tried = [max(pair) for pair in zip(end.tried, view.tried, strict=True)]
        self._ends[session, "server"] = end

    def _could_lose(self, begins: float, ends: float) -> bool:
        """Return whether the store could lose data between these times; not if that ends all sessions."""
        return any(loss.begins <= ends and begins <= loss.ends for loss in self._losses if loss.what != "FLUSHALL")

    def _is_excused(self, end: End) -> bool:
        """See Checker."""
        return end.reason == LOST and any(
            loss.begins <= end.ended_at and end.began_at <= loss.ends for loss in self._losses
        )


def _judge_releases(client: End, chain: list[tuple[View, int]]) -> Iterator[str]:
    """Compare what the client has got from each server with what that has committed."""
    committed = {view.name: view.at(number).sent for view, number in chain}
    for name, numbers in client.got_from.items():
        there = committed.get(name, NONE)
        if any(got > sent for got, sent in zip(numbers, there, strict=True)):
            yield f"the client has handled {numbers} of {name}, which has committed {there}"
