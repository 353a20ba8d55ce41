"""The files, tests and chores that documents name are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.clone

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *(ROOT / "docs").rglob("*.md")]
# Where a path may begin; pages about the inside leave out the folders that their text is about.
BASES = [
    "",
    "gns_py",
    *(f"gns_py/session{each}" for each in ("", "/_core", "/protocol", "/store")),
    "build_native",
    "build_native/core",
    "docs",
]
# Made by a build, or on other machines.
NOT_HERE = re.compile(r"^(?:build|dist|fresh|\.venv|vendor/src)/|^src/$|^release\.yml$|[*<>]")


def code(page: Path) -> Iterator[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_paths(page: Path) -> None:
    named = {
        word
        for span in code(page)
        for word in span.split()
        if re.fullmatch(r"[\w.-]+(?:/[\w.*<>-]+)*(?:/|\.(?:py|cpp|hpp|h|md|toml|yml|json|cmake))|\.ci/[\w-]+", word)
    }
    places = [page.parent, *(ROOT / base for base in BASES)]
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.*")}
    missing = {
        path
        for path in named
        if not NOT_HERE.search(path) and path not in tests and not any((place / path).exists() for place in places)
    }
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_tests(page: Path) -> None:
    named = {span for span in code(page) if re.fullmatch(r"test_\w+", span)}
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []


def test_chores() -> None:
    """Every session of nox that a document or .ci/run names is in noxfile.py."""
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    named = {name for text in texts for name in re.findall(r"nox -s (\w+)", text)}
    loop = re.search(r"^for session in (.+); do$", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    assert loop
    named |= set(loop[1].split())
    code = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert named - set(re.findall(r"^def (\w+)\(session: nox\.Session\)", code, re.MULTILINE)) == {"format"}
    assert '@nox.session(name="format")' in code
