"""The checker finds faults that are planted in histories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .checker import Checker
from .history import Record, merged

NAME = "c1_2-1.0.0"
COUNT = 40


def ends() -> dict[str, list[Record]]:
    """Return the histories of a session in which both ends send on all lanes, and the client closes it."""
    told: dict[str, list[Record]] = {}
    for side in ("client", "server"):
        notes = [Record(0.01, "begin", NAME, side, [])] if side == "client" else []
        notes.append(Record(0.1, "open", NAME, side, []))
        for number in range(1, COUNT + 1):
            on_lanes = [f"{lane}:{number}" for lane in range(3)]
            notes += [Record(number, kind, NAME, side, on_lanes) for kind in ("try", "sent", "got")]
            if number == 7:
                notes.append(Record(number, "dropped", NAME, side, ["CONNECTION_LOST"]))
                notes.append(Record(number, "resumed", NAME, side, ["12"]))
        if side == "client":
            notes.append(Record(90.0, "close", NAME, side, ["complete"]))
        by = "LOCAL" if side == "client" else "PEER"
        notes.append(Record(91.0, "end", NAME, side, ["CLOSED_BY_CLIENT", "ok", by, "1000", "0", "1", "0.5", ""]))
        told[side] = notes
    return told


def check(told: dict[str, list[Record]], *killed: str) -> Checker:
    checker = Checker()
    checker.read((f"{side} process", each) for side, notes in told.items() for each in notes)
    checker.judge(killed)
    return checker


def at(notes: list[Record], kind: str, number: int = 0) -> int:
    """Return the place of the record of that kind."""
    return [place for place, each in enumerate(notes) if each.kind == kind][number]


def end(notes: list[Record], *fields: str) -> None:
    """Change the first fields of the end."""
    place = at(notes, "end")
    notes[place] = notes[place]._replace(fields=[*fields, *notes[place].fields[len(fields) :]])


def test_a_session_without_faults() -> None:
    checker = check(ends())
    assert checker.wrong == []
    assert vars(checker.totals) | {"ends": 0, "pairs": 0, "refused": 0} == {
        "messages": 2 * 3 * COUNT,
        "to_clients": 3 * COUNT,
        "sessions": 1,
        "drops": 2,
        "resumes": 2,
        "replayed": 24,
        **dict.fromkeys(("commits", "unanswered", "failovers", "repeated", "losses", "explicit"), 0),
        **dict.fromkeys(("lost", "doubled", "out_of_order", "foreign", "ends", "pairs", "refused"), 0),
    }
    assert checker.totals.ends == {"CLOSED_BY_CLIENT ok": 2}
    assert checker.totals.pairs == {("CLOSED_BY_CLIENT ok", "CLOSED_BY_CLIENT ok"): 1}


def lose(told: dict[str, list[Record]]) -> None:
    place = at(told["server"], "got", 20)
    told["server"][place] = told["server"][place]._replace(fields=["0:21", "2:21"])


def double(told: dict[str, list[Record]]) -> None:
    place = at(told["client"], "got", 20)
    told["client"].insert(place, told["client"][place]._replace(fields=["1:21"]))


def replay_too_much(told: dict[str, list[Record]]) -> None:
    place = at(told["client"], "got", 20)
    told["client"].insert(place, told["client"][place]._replace(fields=["1:19", "1:20"]))


def swap(told: dict[str, list[Record]]) -> None:
    first, second = at(told["server"], "got", 20), at(told["server"], "got", 21)
    notes = told["server"]
    notes[first], notes[second] = notes[second], notes[first]


def invent(told: dict[str, list[Record]]) -> None:
    place = at(told["server"], "end")
    told["server"].insert(place, Record(50.0, "got", NAME, "server", [f"2:{COUNT + 1}"]))


def confuse(told: dict[str, list[Record]]) -> None:
    told["server"].append(Record(50.0, "bad", NAME, "server", ["the", "checksum", "is", "wrong"]))


def lose_the_tail(told: dict[str, list[Record]]) -> None:
    del told["server"][at(told["server"], "got", COUNT - 1)]


def lose_the_tail_at_the_client(told: dict[str, list[Record]]) -> None:
    del told["client"][at(told["client"], "got", COUNT - 1)]


def claim_without_a_peer(told: dict[str, list[Record]]) -> None:
    told["server"].clear()
    told["client"] = [each for each in told["client"] if each.kind in ("begin", "open", "close", "end")]


def disagree(told: dict[str, list[Record]]) -> None:
    end(told["server"], "ABORTED", "-", "PEER")


def never_end(told: dict[str, list[Record]]) -> None:
    del told["server"][at(told["server"], "end")]


def end_twice(told: dict[str, list[Record]]) -> None:
    told["server"].append(told["server"][-1])


def lose_explicitly(told: dict[str, list[Record]]) -> None:
    for notes in told.values():
        end(notes, "LOST_MESSAGES", "-", "PROBLEM")


def appear_from_nowhere(told: dict[str, list[Record]]) -> None:
    told["client"].clear()


def raise_an_exception(told: dict[str, list[Record]]) -> None:
    told["client"].append(Record(50.0, "fault", NAME, "client", ["Traceback"]))


@pytest.mark.parametrize(
    ("plant", "said", "counted"),
    [
        (lose, "message 22 of lane 1 after 20: a gap", {"lost": 1}),
        (double, "message 21 of lane 1 after 21: doubled", {"doubled": 1}),
        (replay_too_much, "message 19 of lane 1 after 20: out of order, or doubled", {"out_of_order": 1, "doubled": 1}),
        (swap, "message 21 of lane 0 after 22: out of order", {"lost": 3, "out_of_order": 3}),
        (invent, "handled 1 messages that were not sent", {"foreign": 1}),
        (confuse, "the checksum is wrong", {"foreign": 1}),
        (lose_the_tail, "it is ok, and has not handled 3 messages", {}),
        (lose_the_tail_at_the_client, "it had everything, but 3 messages", {}),
        (claim_without_a_peer, "it is ok, and there never was another end", {}),
        (disagree, "the reasons do not agree", {}),
        (never_end, "server: it has not ended", {}),
        (end_twice, "two ends", {}),
        (lose_explicitly, "it ended with LOST_MESSAGES", {}),
        (appear_from_nowhere, "a session that no client began", {}),
        (raise_an_exception, "Traceback", {}),
    ],
)
def test_planted_faults_are_found(
    plant: Callable[[dict[str, list[Record]]], None], said: str, counted: dict[str, int]
) -> None:
    told = ends()
    plant(told)
    checker = check(told)
    assert any(said in each for each in checker.wrong), checker.wrong
    assert {name: getattr(checker.totals, name) for name in counted} == counted


def test_ends_that_could_not_hear_of_each_other() -> None:
    told = ends()
    end(told["client"], "ABORTED", "-", "LOCAL")
    end(told["server"], "SESSION_EXPIRED", "-", "LOCAL")
    assert check(told).wrong == []
    end(told["server"], "SESSION_TAKEN_OVER", "-", "LOCAL")
    assert check(told).wrong == []
    end(told["server"], "SESSION_TAKEN_OVER", "-", "PEER")
    assert any("the reasons do not agree" in each for each in check(told).wrong)


def test_the_last_confirmation_may_be_lost() -> None:
    told = ends()
    end(told["server"], "ABORTED", "-", "LOCAL")
    assert check(told).wrong == []
    end(told["server"], "CLOSED_BY_SERVER", "-", "LOCAL")
    assert any("the reasons do not agree" in each for each in check(told).wrong)


def test_a_process_that_is_killed_has_no_end_and_may_not_have_written_its_last_messages() -> None:
    told = ends()
    never_end(told)
    for number in (COUNT - 1, COUNT - 2):
        del told["server"][at(told["server"], "got", number)]
    assert check(told, "server process").wrong == []
    for number in range(COUNT - 3, 0, -1):
        del told["server"][at(told["server"], "got", number)]
    assert any("the other end has not handled" in each for each in check(told, "server process").wrong)


def test_what_arrives_after_an_ends_own_goodbye_is_not_lost() -> None:
    told = ends()
    notes = told["client"]
    notes[at(notes, "close")] = Record(20.0, "close", NAME, "client", ["midway"])
    lose_the_tail_at_the_client(told)
    assert check(told).wrong == []
    lose_the_tail(told)
    assert any("it is ok, and the other end has not handled 3" in each for each in check(told).wrong)


def test_histories_are_read_in_the_order_of_time(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(f"1.5 got {NAME} server 0:1 2:1\n3.0 got {NAME} serv")
    second.write_text(f"1.0 open {NAME} client\n2.0 bad {NAME} client the text\n")
    assert list(merged({"1": first, "2": second})) == [
        ("2", Record(1.0, "open", NAME, "client", [])),
        ("1", Record(1.5, "got", NAME, "server", ["0:1", "2:1"])),
        ("2", Record(2.0, "bad", NAME, "client", ["the", "text"])),
    ]
