"""The table of reasons: it has all of them, and tests that provoke each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from gns_py.session import CloseReason

pytestmark = pytest.mark.clone

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (\d+) \| ([A-Z_]+) \| (yes|no) \| [^|]+ \| `(test_\w+\.py)` `(test_\w+)` \|$", re.MULTILINE)


class Row(NamedTuple):
    """A reason in the table, with the test that provokes it."""

    number: int
    name: str
    recoverable: bool
    file: str
    test: str


ROWS = [
    Row(int(number), name, recoverable == "yes", file, test)
    for number, name, recoverable, file, test in ROW.findall(
        (ROOT / "docs/session-protocol.md").read_text(encoding="utf-8")
    )
]


def test_each_reason_has_its_row() -> None:
    reasons = [(int(reason), reason.name, reason.recoverable) for reason in CloseReason]
    assert [(row.number, row.name, row.recoverable) for row in ROWS] == reasons


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_test_that_provokes_it_is_there(row: Row) -> None:
    source = (ROOT / "tests/session/contract" / row.file).read_text(encoding="utf-8")
    assert re.search(rf"^ *def {row.test}\(", source, re.MULTILINE)
