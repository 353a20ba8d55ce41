"""The table of cases on the page about certificates: the tests that it names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.clone

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/internals/certificates.md").read_text(encoding="utf-8")
FOLDERS = ("tests/contract", "tests/session/contract")
ROWS = re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)[1:]
TESTS = {
    f"{folder}/{file}::{test}"
    for _, *cells in ROWS
    for folder, cell in zip(FOLDERS, cells, strict=True)
    for file, test in re.findall(r"^`(\w+\.py)::(\w+)`$", cell)
}


def test_each_case_has_a_test() -> None:
    assert len(ROWS) >= 20
    assert [case for case, *cells in ROWS if "`test_" not in "".join(cells)] == []


@pytest.mark.parametrize("named", sorted(TESTS))
def test_the_tests_are_there(named: str) -> None:
    file, test = named.split("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {test}\(", source, re.MULTILINE)
