"""Compares the records of the two ends of each connection and session."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from .settings import SESSION_CONFIG, SHUTDOWN

# The codes that applications close with; others are GNS's own, for instance when an end that lingers gives up.
APPLICATIONS = range(1_000, 3_000)

Numbers = dict[int, int]
"""Lane and number."""


@dataclass
class Process:
    """The supervisor's knowledge of a process."""

    journal: Path
    role: str
    killed_at: float = inf
    shut_down_at: float = inf
    """When all of its ends began to close."""


@dataclass
class Side:
    """One end, as its journal records it."""

    process: Process
    kind: str = ""
    sending: Numbers = field(default_factory=dict)
    sent: Numbers = field(default_factory=dict)
    unreliable: Numbers = field(default_factory=dict)
    received: list[tuple[int, int]] = field(default_factory=list)
    received_unreliable: list[tuple[int, int]] = field(default_factory=list)
    closing: tuple[float, str, int] | None = None
    """When, how and with which code it began to end."""
    ends: list[dict[str, Any]] = field(default_factory=list)
    over_at: float = inf
    wrong: list[str] = field(default_factory=list)

    @property
    def was_killed(self) -> bool:
        """True if its process was killed before the end."""
        return self.process.killed_at != inf and self.over_at == inf

    @property
    def end(self) -> dict[str, Any] | None:
        """The end that was reported last."""
        return self.ends[-1] if self.ends else None

    @property
    def arrived(self) -> Numbers:
        """The last reliable message that was read on each lane."""
        return dict(sorted(self.received))

    @property
    def begins_to_end(self) -> bool:
        """True if its application ended it by itself."""
        return self.closing is not None


@dataclass
class Verdict:
    """The results of all comparisons."""

    wrong: list[str] = field(default_factory=list)
    links: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    messages: int = 0

    def __str__(self) -> str:
        links = ", ".join(f"{count} {name}" for name, count in sorted(self.links.items()))
        ends = ", ".join(f"{count} {name}" for name, count in self.ends.most_common())
        return f"{links}; {self.messages} reliable messages; ends: {ends}"


def judge(processes: Iterable[Process]) -> Verdict:
    """Read all journals."""
    verdict = Verdict()
    links: dict[str, dict[str, Side]] = defaultdict(dict)
    for process in processes:
        for line in _lines(process.journal):
            if "side" in line:
                side = links[line["link"]].setdefault(line["side"], Side(process))
                _note(side, line)
            elif line["e"] == "unexpected":
                verdict.wrong.append(f"{process.journal.stem}: {line['what']}")
            elif line["e"] == "shutdown":
                process.shut_down_at = min(process.shut_down_at, line["at"])
    for name, sides in links.items():
        for side in sides.values():
            if side.closing is None and side.process.shut_down_at < side.over_at:
                side.closing = side.process.shut_down_at, "shutdown", SHUTDOWN
        verdict.wrong += [f"{name}: {each}" for each in _judge_link(sides, verdict)]
    return verdict


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        yield json.loads(line)


def _note(side: Side, line: dict[str, Any]) -> None:
    match line["e"]:
        case "open":
            side.kind = line["kind"]
        case "sending":
            side.sending |= _numbers(line["upto"])
            side.unreliable |= _numbers(line["unreliable"])
        case "sent":
            side.sent |= _numbers(line["upto"])
        case "received":
            side.received += map(tuple, line["reliable"])
            side.received_unreliable += map(tuple, line["unreliable"])
        case "closing":
            side.closing = line["at"], line["how"], line["code"]
        case "end":
            side.ends.append({**line["told"], "source": line["source"]})
        case "over":
            side.over_at = line["at"]
        case "stuck" | "unexpected":
            side.wrong.append(line["what"])
        case "bad":
            side.wrong.append(f"a message is not what was sent: {line}")


def _numbers(told: dict[str, int]) -> Numbers:
    return {int(lane): number for lane, number in told.items()}


def _judge_link(sides: dict[str, Side], verdict: Verdict) -> Iterator[str]:
    client, server = sides.get("client"), sides.get("server")
    for name, side, peer in (("client", client, server), ("server", server, client)):
        if side is None:
            continue
        verdict.links[f"{name}s of {side.kind}s"] += 1
        verdict.messages += len(side.received)
        for wrong in (*side.wrong, *_judge_order(side, peer), *_judge_ends(side)):
            yield f"{name}: {wrong}"
        if side.end is not None:
            verdict.ends[f"{side.kind} {'ok' if side.end['ok'] else side.end['reason'] or side.end['code']}"] += 1
            judge_end = _judge_session if side.kind == "session" else _judge_connection
            for wrong in judge_end(side, peer):
                yield f"{name}: {wrong}; told {side.end}; {_shown(client)} / {_shown(server)}"


def _shown(side: Side | None) -> str:
    if side is None:
        return "never there"
    killed = f", killed at {side.process.killed_at:.3f}" if side.was_killed else ""
    return f"sent {side.sent}, read {side.arrived}, closing {side.closing}{killed}, told {side.end}"


def _judge_order(side: Side, peer: Side | None) -> Iterator[str]:
    """Check the messages: in order, exactly once, and nothing that was not sent."""
    upto: Numbers = defaultdict(int)
    for lane, number in side.received:
        if number != upto[lane] + 1:
            yield f"message {number} of lane {lane} came after {upto[lane]}"
        upto[lane] = number
    sending = peer.sending if peer is not None else {}
    unreliable = peer.unreliable if peer is not None else {}
    if any(number > sending.get(lane, 0) for lane, number in upto.items()):
        yield f"it read {dict(upto)}, and {sending} was sent"
    for message, count in Counter(side.received_unreliable).items():
        if count > 1:
            yield f"unreliable message {message} came {count} times"
        if message[1] > unreliable.get(message[0], 0):
            yield f"unreliable message {message} was not sent"


def _judge_ends(side: Side) -> Iterator[str]:
    """Check that an end is reported to each living end, and always the same one.

    A session's reader is an exception: it is told of the other end's goodbye once that and everything before it has
    arrived. Later failures are reported by wait_closed().
    """
    if not side.ends and not side.was_killed:
        yield "it was told no end"
    for each in side.ends[:-1]:
        last = side.ends[-1]
        is_goodbye = side.kind == "session" and each["source"] == "recv" and each["by"] == "PEER"
        if {**each, "source": ""} != {**last, "source": ""} and (last["ok"] or not is_goodbye):
            yield f"it was told different ends: {side.ends}"
            return


def _judge_session(side: Side, peer: Side | None) -> Iterator[str]:
    """Check that an end is ok only if everything has arrived, in both directions."""
    assert side.end is not None
    if not side.end["ok"]:
        return
    if peer is None:
        yield "it is ok, and there never was another end"
        return
    if not side.begins_to_end and peer.sent != side.arrived:
        yield "it is ok, and has not read all that the other end sent"
    if peer.was_killed:
        if not side.begins_to_end and not peer.begins_to_end:
            yield "it is ok, and the other end was killed before either closed"
        return
    if not peer.begins_to_end and peer.arrived != side.sent and not _may_have_arrived(side, peer):
        yield "it is ok, and the other end has not read all that it sent"
    how = peer.closing[1] if peer.closing is not None else None
    if how == "abort" and not side.begins_to_end and peer.end is not None and peer.end["reason"] == "ABORTED":
        yield "it is ok, and the other end has aborted"
    if peer.end is not None and not peer.end["ok"] and peer.arrived != side.sent and not peer.begins_to_end:
        yield "it is ok, the other end is not, and something is lost"


def _may_have_arrived(side: Side, peer: Side) -> bool:
    """Where the application does not read to the end, messages within its credit may wait for it."""
    return sum(side.sent.values()) - len(peer.received) <= SESSION_CONFIG.credit_messages


def _judge_connection(side: Side, peer: Side | None) -> Iterator[str]:
    """GNS's own end proves little: it must be what the other end did."""
    assert side.end is not None
    if side.end["by"] != "PEER":
        return
    if peer is None:
        if side.end["code"] != SHUTDOWN:  # otherwise it was just connected when the server began to close
            yield "there never was another end"
        return
    if peer.closing is None:
        yield "the other end has not closed"
        return
    _, how, code = peer.closing
    if side.end["code"] not in APPLICATIONS:
        return
    if side.end["code"] != code:
        yield f"the other end closed with {code}"
    elif how in ("close", "raise", "cancel") and not side.begins_to_end and side.arrived != peer.sent:
        yield "the other end lingered, and not all has come"
