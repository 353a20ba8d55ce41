"""The records of what a process has done and seen: plain, one a line, in a file that is only appended to.

A record is ``time kind session side fields``, with blanks between, for example ``12.345 got c1_0-1.2.3 client 0:17``.
The kinds:

| kind | fields | written |
|---|---|---|
| begin | - | before the client connects |
| refused | why | if that has failed |
| open | id, of a durable one at a server: new or restored, its state | when an end has the session |
| try, sent | lane:number ... | before sending that far, and after send() has accepted that far |
| got | lane:number, of a durable one at a client: lane:number:view ... | after recv() has returned these |
| bad | text | for a message that is not as it was sent |
| dropped, resumed | why; how many are sent again | when on_dropped and on_resumed are called |
| close | complete, midway, abort | before an end closes |
| end | reason ok? by code undelivered drops time_dropped | when it has ended |
| fault | text | for an exception that nothing explains |
| commit | state | before commit() |
| committed, unanswered | number of the commit | when that was confirmed, or the store did not answer |
| loss | begins or ends, why | when the store may lose data |

Each part that a server has in a durable session is a *view*. Its side is server/NUMBER, where NUMBER counts those of
the process; its name is that of the process, a slash and the number. server/0 stands for all views.
"""

from __future__ import annotations

import heapq
import os
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from itertools import starmap
from pathlib import Path
from typing import NamedTuple

from gns_py.session import SessionEnd


class Record(NamedTuple):
    """One line."""

    at: float
    kind: str
    session: str
    side: str
    fields: list[str]


class History:
    """The file of one process. Any thread may write; a record is in the file once its call returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, kind: str, session: str = "-", side: str = "-", fields: Iterable[object] = ()) -> None:
        """Append a record."""
        line = " ".join((f"{time.monotonic():.6f}", kind, session, side, *(str(each) for each in fields)))
        os.write(self._file, line.replace("\n", "\\n").encode() + b"\n")

    def fault(self, session: str = "-", side: str = "-") -> None:
        """Append the exception that is being handled."""
        self.write("fault", session, side, [traceback.format_exc()])

    def close(self) -> None:
        os.close(self._file)


def end_fields(end: SessionEnd, drops: int, time_dropped: float) -> list[object]:
    """Return the fields of an end."""
    ok = "ok" if end.ok else "-"
    return [end.reason.name, ok, end.closed_by.name, end.code, end.undelivered, drops, f"{time_dropped:.3f}", end.text]


def read(path: Path) -> Iterator[Record]:
    """Read a history. Its last line may be incomplete, if its process was killed."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.endswith("\n"):
                at, kind, session, side, *fields = line[:-1].split(" ")
                yield Record(float(at), kind, session, side, fields)


def merged(histories: Mapping[str, Path]) -> Iterator[tuple[str, Record]]:
    """Read the histories of processes together, in the order of time: all clocks are this machine's."""
    return heapq.merge(*starmap(_named, histories.items()), key=lambda each: each[1].at)


def _named(process: str, path: Path) -> Iterator[tuple[str, Record]]:
    return ((process, record) for record in read(path))
