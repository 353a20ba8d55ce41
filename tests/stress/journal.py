"""The record of what one end of a connection or session has done and seen, written so that it survives a kill."""

from __future__ import annotations

import json
import os
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gns_py import ConnectionEnd, Message
from gns_py.session import SessionEnd

from .plans import Outgoing, Plan, SidePlan, read_body
from .settings import PATIENCE, SHORT


class Journal:
    """A file of lines of JSON: when, which end, what. Any thread may write."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, **fields: Any) -> None:
        """Write one line; it is in the file once this returns, whatever happens to the process."""
        os.write(self._file, json.dumps({"at": time.monotonic(), **fields}).encode() + b"\n")

    def unexpected(self, what: str, **fields: Any) -> None:
        """Record an exception that no plan expects."""
        self.write(e="unexpected", what=f"{what}: {traceback.format_exc()}", **fields)


class Notes:
    """One end's part of a journal."""

    def __init__(self, journal: Journal, plan: Plan, side: str) -> None:
        self.plan = plan
        self.mine: SidePlan = getattr(plan, side)
        theirs: SidePlan = plan.server if side == "client" else plan.client
        self._journal = journal
        self._who = {"link": plan.name, "side": side}
        self.patience = SHORT if theirs.how == "deaf" else PATIENCE
        """Seconds to wait for room: for ever, by design, where the other end does not read."""
        self._missing = theirs.count
        self.all_read = threading.Event()
        """Set once all reliable messages that the other end wants to send have arrived."""
        if not self._missing:
            self.all_read.set()
        self.write("open", kind=plan.kind)

    def write(self, what: str, /, **fields: Any) -> None:
        """Write one line."""
        self._journal.write(e=what, **self._who, **fields)

    def sending(self, burst: list[Outgoing]) -> None:
        """Record a message before it is sent."""
        self.write("sending", upto=_highest(burst, True), unreliable=_highest(burst, False))

    def sent(self, burst: list[Outgoing]) -> None:
        """Record how much of it was accepted."""
        self.write("sent", upto=_highest(burst, True))

    def received(self, messages: Sequence[Message]) -> None:
        """Record messages in the order of reading."""
        reliable: list[tuple[int, int]] = []
        unreliable: list[tuple[int, int]] = []
        for data, number, lane, *_ in messages:
            read = read_body(self.plan, data, lane)
            if read is None:
                self.write("bad", data=data[:100].hex(), lane=lane)
                continue
            (reliable if read[0] else unreliable).append((lane, read[1]))
            if self.plan.kind == "session" and read[0] and number != read[1]:
                self.write("bad", data=f"the session calls message {read[1]} of lane {lane} number {number}")
        self.write("received", reliable=reliable, unreliable=unreliable)
        self._missing -= len(reliable)
        if self._missing <= 0:
            self.all_read.set()

    def closing(self, how: str, code: int) -> None:
        """Record a close before it happens."""
        self.write("closing", how=how, code=code)

    def end(self, source: str, end: ConnectionEnd | SessionEnd) -> None:
        """Record the end that was reported."""
        reason = end.reason.name if isinstance(end, SessionEnd) else None
        told = {"by": end.closed_by.name, "code": int(end.code), "reason": reason, "text": end.text, "ok": end.ok}
        self.write("end", source=source, told=told)

    def unexpected(self, what: str) -> None:
        """Record an exception that no plan expects."""
        self._journal.unexpected(what, **self._who)


def _highest(burst: list[Outgoing], reliable: bool) -> dict[int, int]:
    return {each.lane: each.number for each in burst if each.reliable is reliable}
