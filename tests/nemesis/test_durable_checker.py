"""The checker finds faults that are planted in histories of durable sessions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .durable_checker import DurableChecker
from .history import Record
from .state import NOTHING, State

NAME = "c1_2-1.0.0"
ID = "session"
VIEWS = {"first": "s1_0-1/4", "second": "s1_1-1/7", "third": "s1_2-1/8"}
FIRST, SECOND, THIRD = VIEWS.values()
# The first server commits 1 to 10 of each lane, one at a time, and dies with the 11th not committed; the second one
# goes on until 20.
LAST, COUNT = 10, 20

Told = dict[str, list[Record]]


def everything(number: int, view: str = "") -> list[str]:
    """Return message numbers of all lanes, as fields."""
    return [f"{lane}:{number}{view and ':'}{view}" for lane in range(3)]


def state(view: str, commit: int, number: int) -> State:
    return State(view, commit, (number,) * 3, (number,) * 3)


def server(view: str, begin: State, first: int, last: int) -> list[Record]:
    """Return the history of a view that commits these messages, one after another."""
    side = "server/" + view.partition("/")[2]
    kind = "new" if begin is NOTHING else "restored"
    notes = [Record(first - 0.6, "open", NAME, side, [ID, kind, str(begin)])]
    for commit, number in enumerate(range(first, last + 1), 1):
        notes += [Record(number, each, NAME, side, everything(number)) for each in ("got", "try", "sent")]
        notes.append(Record(number + 0.1, "commit", NAME, side, [str(state(view, commit, number))]))
        notes.append(Record(number + 0.2, "committed", NAME, side, [str(commit)]))
    return notes


def ends() -> Told:
    """Return the histories of a session whose first server dies, and that the client closes at the second one."""
    first = server(FIRST, NOTHING, 1, LAST + 1)[:-1]  # the answer to the last commit does not come
    second = server(SECOND, state(FIRST, LAST, LAST), LAST + 1, COUNT)
    client = [Record(0.1, "begin", NAME, "client", []), Record(0.6, "open", NAME, "client", [ID])]
    for number in range(1, COUNT + 1):
        client += [Record(number - 0.1, each, NAME, "client", everything(number)) for each in ("try", "sent")]
        view = FIRST if number <= LAST else SECOND
        client.append(Record(number + 0.3, "got", NAME, "client", everything(number, view)))
    client.append(Record(90.0, "close", NAME, "client", ["complete"]))
    told = {"client": client, "first": first, "second": second}
    for name in ("client", "second"):
        by = "LOCAL" if name == "client" else "PEER"
        side = told[name][-1].side
        told[name].append(Record(91.0, "end", NAME, side, ["CLOSED_BY_CLIENT", "ok", by, "1000", "0", "1", "0.5", ""]))
    return told


def check(told: Told, *losses: tuple[float, float, str]) -> DurableChecker:
    processes = {"client": "c1_2-1", **{name: view.partition("/")[0] for name, view in VIEWS.items()}}
    records = [(processes[name], each) for name, notes in told.items() for each in notes]
    for begins, finishes, what in losses:
        records.append(("store", Record(begins, "loss", "-", "-", ["begins", what])))
        records.append(("store", Record(finishes, "loss", "-", "-", ["ends", what])))
    checker = DurableChecker()
    checker.read(sorted(records, key=lambda each: each[1].at))
    checker.judge([processes["first"]])
    return checker


def change(notes: list[Record], kind: str, at: float, *fields: str) -> None:
    """Change the record of that kind that comes first after that time."""
    place = next(place for place, each in enumerate(notes) if each.kind == kind and each.at >= at)
    notes[place] = notes[place]._replace(fields=list(fields))


def remove(notes: list[Record], kind: str, at: float) -> Record:
    place = next(place for place, each in enumerate(notes) if each.kind == kind and each.at >= at)
    return notes.pop(place)


def end(notes: list[Record], *fields: str) -> None:
    """Change the first fields of the end."""
    notes[-1] = notes[-1]._replace(fields=[*fields, *notes[-1].fields[len(fields) :]])


def end_with_lost_messages(told: Told) -> None:
    for name in ("client", "second"):
        end(told[name], "LOST_MESSAGES", "-", "PROBLEM")


def test_a_session_without_faults() -> None:
    checker = check(ends())
    assert checker.wrong == []
    totals = checker.totals
    assert (totals.messages, totals.to_clients, totals.repeated) == (2 * 3 * COUNT, 3 * COUNT, 3)
    assert (totals.commits, totals.failovers) == (COUNT, 1)


@pytest.mark.parametrize("is_stored", [False, True])
def test_a_commit_without_an_answer_may_be_stored_or_not(is_stored: bool) -> None:
    told = ends()
    if is_stored:
        told["second"] = server(SECOND, state(FIRST, LAST + 1, LAST + 1), LAST + 2, COUNT) + told["second"][-1:]
        change(told["client"], "got", LAST + 1, *everything(LAST + 1, FIRST))
    assert check(told).wrong == []


def lose_a_commit(told: Told) -> None:
    """Let the next owner begin before a commit that the store has confirmed."""
    change(told["second"], "open", 0.0, ID, "restored", str(state(FIRST, LAST - 1, LAST - 1)))


def begin_anew(told: Told) -> None:
    """Let nothing be left, as after FLUSHALL, and no end say so: a silent gap."""
    change(told["second"], "open", 0.0, ID, "restored", str(NOTHING))


def go_on_after_a_loss(told: Told) -> None:
    """See begin_anew(): the server that has the session commits as if nothing had happened."""
    told["second"].clear()
    told["first"].extend(server(FIRST, NOTHING, 1, COUNT)[len(told["first"]) :])


def double_after_a_failover(told: Told) -> None:
    told["client"].insert(-2, Record(LAST + 1.35, "got", NAME, "client", [f"1:{LAST}:{SECOND}"]))


def handle_twice_what_was_committed(told: Told) -> None:
    told["second"].insert(1, Record(LAST + 0.6, "got", NAME, "server/7", [f"1:{LAST}"]))


def leave_a_gap_after_a_failover(told: Told) -> None:
    change(told["second"], "got", 0.0, f"0:{LAST + 1}", f"1:{LAST + 1}", f"2:{LAST + 2}")


def release_before_the_commit(told: Told) -> None:
    told["client"] = [
        each._replace(at=each.at - 0.25) if each.kind == "got" and each.at > 5.0 else each for each in told["client"]
    ]


def release_what_is_never_committed(told: Told) -> None:
    """Let the client get what was in the first owner's last commit, which was not carried out."""
    change(told["client"], "got", LAST + 1, *everything(LAST + 1, FIRST))


def act_after_the_claim(told: Told) -> None:
    """Confirm another commit of the owner before, after the claim."""
    told["first"].append(Record(LAST + 3.0, "committed", NAME, "server/4", [str(LAST + 1)]))


def act_both(told: Told) -> None:
    """Let a third server begin with the same state as the second one, and both commit."""
    told["third"] = server(THIRD, state(FIRST, LAST, LAST), LAST + 1, LAST + 2)


def restore_what_nobody_has_committed(told: Told) -> None:
    change(told["second"], "open", 0.0, ID, "restored", str(state(FIRST, LAST, LAST)._replace(handled=(1, 2, 3))))


def lose_explicitly(told: Told) -> None:
    end_with_lost_messages(told)


def lose_the_last_commit_of_all(told: Told) -> None:
    """Tell the client that all is handled, although the last commits were not even begun."""
    notes = told["second"]
    for kind in ("commit", "committed", "commit", "committed"):
        remove(notes, kind, COUNT - 1.0)


def begin_twice(told: Told) -> None:
    change(told["second"], "open", 0.0, ID, "new", str(NOTHING))


def have_another_session(told: Told) -> None:
    change(told["second"], "open", 0.0, "another", "restored", str(state(FIRST, LAST, LAST)))


def never_end(told: Told) -> None:
    told["second"].pop()


@pytest.mark.parametrize(
    ("plant", "said", "counted"),
    [
        (lose_a_commit, "a commit was lost", {}),
        (begin_anew, "two owners act", {}),
        (double_after_a_failover, f"message {LAST} of lane 1 after {LAST + 1}: out of order, or doubled", {}),
        (handle_twice_what_was_committed, f"message {LAST} of lane 1 after {LAST}: doubled", {"doubled": 1}),
        (leave_a_gap_after_a_failover, f"message {LAST + 2} of lane 2 after {LAST}: a gap", {"lost": 1}),
        (release_before_the_commit, "was released before its commit", {}),
        (release_what_is_never_committed, "which has committed (10, 10, 10)", {}),
        (act_after_the_claim, "two owners act", {}),
        (act_both, "two owners act", {}),
        (restore_what_nobody_has_committed, "which was not committed", {}),
        (lose_explicitly, "it ended with LOST_MESSAGES", {"explicit": 0}),
        (lose_the_last_commit_of_all, "it is ok, and the other end has not handled 6 messages", {"lost": 12}),
        (begin_twice, "two servers have begun it", {}),
        (have_another_session, "it has handled messages of a session that its client does not have", {}),
        (never_end, f"{SECOND}: it has not ended", {}),
    ],
)
def test_planted_faults_are_found(plant: Callable[[Told], None], said: str, counted: dict[str, int]) -> None:
    told = ends()
    plant(told)
    checker = check(told)
    assert any(said in each for each in checker.wrong), checker.wrong
    assert {name: getattr(checker.totals, name) for name in counted} == counted


FLUSHALL = (LAST + 0.3, LAST + 0.4, "FLUSHALL")
FAILOVER = (LAST + 0.3, LAST + 0.4, "failover")


@pytest.mark.parametrize("loss", [FLUSHALL, FAILOVER])
def test_lost_messages_has_its_place_where_the_store_has_lost_data(loss: tuple[float, float, str]) -> None:
    told = ends()
    end_with_lost_messages(told)
    told["second"] = [*told["second"][:1], told["second"][-1]]
    told["client"] = [each for each in told["client"] if each.at < LAST + 1 or each.kind == "end"]
    checker = check(told, loss)
    assert checker.wrong == []
    assert checker.totals.explicit == 2
    end(told["second"], "ABORTED", "-", "LOCAL")  # it has given up, and could not tell
    assert check(told, loss).wrong == []
    end_with_lost_messages(told)
    earlier = (-2.0, -1.0, loss[2])
    assert any("it ended with LOST_MESSAGES" in each for each in check(told, earlier).wrong)


@pytest.mark.parametrize("plant", [lose_a_commit, begin_anew, go_on_after_a_loss])
def test_no_session_goes_on_after_all_was_lost(plant: Callable[[Told], None]) -> None:
    told = ends()
    plant(told)
    assert check(told, FLUSHALL).wrong != []


def test_a_failover_of_the_store_may_lose_the_last_commits_but_not_silently() -> None:
    told = ends()
    told["first"] = told["first"][:-4]  # it dies with the last commit that was confirmed
    told["second"] = server(SECOND, state(FIRST, LAST - 1, LAST - 1), LAST, COUNT) + told["second"][-1:]
    for name in ("second", "client"):
        told[name] = [each._replace(at=each.at + 1.0) if each.at > LAST - 0.65 else each for each in told[name]]
    assert any("a commit was lost" in each for each in check(told).wrong)
    # The client has handled what was in the lost commit, and goes on all the same: a gap that no end was told of.
    assert any("has handled [10, 10, 10] of" in each for each in check(told, FAILOVER).wrong)
    change(told["client"], "got", LAST + 1, *everything(LAST, SECOND))
    assert check(told, FAILOVER).wrong == []
