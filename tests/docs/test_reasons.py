"""The tables of reasons: they have all of them, and a test that provokes each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gns_py.session import CloseReason

pytestmark = pytest.mark.clone

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/session-protocol.md").read_text(encoding="utf-8")
REASONS = re.findall(r"^\| (\d+) \| ([A-Z_]+) \| (yes|no) \| [^|]+ \|$", PAGE, re.MULTILINE)
TESTS = re.findall(r"^\| ([A-Z_]+) \| `(test_\w+\.py)` `(test_\w+)` \|$", PAGE, re.MULTILINE)


def test_the_table_has_all_reasons() -> None:
    reasons = [(str(int(each)), each.name, "yes" if each.recoverable else "no") for each in CloseReason]
    assert reasons == REASONS


def test_none_lacks_a_test() -> None:
    assert [reason for reason, _, _ in TESTS] == [each.name for each in CloseReason]


@pytest.mark.parametrize(("file", "test"), [row[1:] for row in TESTS], ids=[row[0] for row in TESTS])
def test_the_test_that_provokes_it_is_there(file: str, test: str) -> None:
    source = (ROOT / "tests/session/contract" / file).read_text(encoding="utf-8")
    assert re.search(rf"^ *def {test}\(", source, re.MULTILINE)
