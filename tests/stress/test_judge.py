"""The judge of the stress finds the errors that it is meant to find."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .judge import Process, judge

Line = dict[str, Any]
OK = {"by": "PEER", "code": 1234, "reason": "CLOSED_BY_CLIENT", "text": "", "ok": True}
LOST = {"by": "PROBLEM", "code": 5003, "reason": "CONNECTION_LOST", "text": "", "ok": False}


class Story:
    """Return the journals, to be falsified, of a client that sends three messages and a server that reads them."""

    def __init__(self, kind: str) -> None:
        self.client: list[Line] = [
            {"e": "open", "kind": kind},
            {"e": "sending", "upto": {"0": 3}, "unreliable": {"0": 1}},
            {"e": "sent", "upto": {"0": 3}},
            {"e": "closing", "how": "close", "code": 1234},
            {"e": "end", "source": "recv", "told": {**OK, "by": "LOCAL"}},
            {"e": "over"},
        ]
        self.server: list[Line] = [
            {"e": "open", "kind": kind},
            {"e": "received", "reliable": [[0, 1], [0, 2]], "unreliable": [[0, 1]]},
            {"e": "received", "reliable": [[0, 3]], "unreliable": []},
            {"e": "end", "source": "recv", "told": OK},
            {"e": "over"},
        ]
        self.killed: dict[str, float] = {}

    def wrong(self, folder: Path) -> list[str]:
        processes = []
        for name, lines in (("client", self.client), ("server", self.server)):
            process = Process(folder / name, name, *([self.killed[name]] if name in self.killed else []))
            text = "\n".join(json.dumps({"at": at, "link": "x", "side": name, **line}) for at, line in enumerate(lines))
            process.journal.write_text(text)
            processes.append(process)
        return judge(processes).wrong


@pytest.mark.parametrize("kind", ["connection", "session"])
def test_nothing_is_wrong_with_what_is_right(tmp_path: Path, kind: str) -> None:
    assert Story(kind).wrong(tmp_path) == []


def _replace(lines: list[Line], what: str, **fields: Any) -> None:
    next(line for line in lines if line["e"] == what).update(fields)


def _loses_the_last(story: Story) -> None:
    del story.server[2]


def _doubles(story: Story) -> None:
    story.server.insert(2, story.server[1])


def _swaps(story: Story) -> None:
    _replace(story.server, "received", reliable=[[0, 2], [0, 1]])


def _invents(story: Story) -> None:
    _replace(story.client, "sending", upto={"0": 2})


def _doubles_unreliable(story: Story) -> None:
    _replace(story.server, "received", unreliable=[[0, 1], [0, 1]])


def _tells_no_end(story: Story) -> None:
    del story.server[3]


def _tells_two_ends(story: Story) -> None:
    story.server[3] = {"e": "end", "source": "recv", "told": LOST}
    story.server.insert(4, {"e": "end", "source": "wait", "told": OK})


def _hangs(story: Story) -> None:
    story.server.insert(1, {"e": "stuck", "what": "nothing comes"})


def _garbles(story: Story) -> None:
    story.server.insert(1, {"e": "bad", "data": "00", "lane": 0})


@pytest.mark.parametrize(
    ("worse", "told"),
    [
        (_doubles, "came after"),
        (_swaps, "came after"),
        (_invents, "was sent"),
        (_doubles_unreliable, "came 2 times"),
        (_tells_no_end, "told no end"),
        (_tells_two_ends, "different ends"),
        (_hangs, "nothing comes"),
        (_garbles, "not what was sent"),
        (_loses_the_last, "all"),
    ],
)
@pytest.mark.parametrize("kind", ["connection", "session"])
def test_what_is_wrong_is_found(tmp_path: Path, kind: str, worse: Callable[[Story], None], told: str) -> None:
    story = Story(kind)
    worse(story)
    assert told in "\n".join(story.wrong(tmp_path))


def test_ok_without_another_end(tmp_path: Path) -> None:
    story = Story("session")
    del story.server[:]
    assert "never was another end" in "\n".join(story.wrong(tmp_path))


def test_ok_though_the_other_end_was_killed(tmp_path: Path) -> None:
    story = Story("session")
    del story.server[3:]
    story.killed["server"] = 2.5
    assert story.wrong(tmp_path) == []  # it may have answered by itself
    del story.client[3]
    assert "was killed" in "\n".join(story.wrong(tmp_path))


def test_a_killed_end_may_be_told_nothing(tmp_path: Path) -> None:
    story = Story("connection")
    del story.server[2:]
    story.killed["server"] = 1.5
    story.client[4]["told"] = LOST
    assert story.wrong(tmp_path) == []
