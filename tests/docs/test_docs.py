"""All Python in the documentation runs as it stands there, and prints what stands there."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import re
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from support.markdown import python_blocks

pytestmark = pytest.mark.clone

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if python_blocks(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_page(page: Path) -> None:
    """Block after block, with the names of those before, in one event loop; programs that run one of their own, so."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    loop = asyncio.new_event_loop()
    try:
        for block in python_blocks(page.read_text(encoding="utf-8")):
            # At its line, so that a traceback shows the page.
            source = "\n" * (block.line - 1) + block.source
            code = compile(source, page, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                if "asyncio.run(" in block.source:
                    eval(code, namespace)
                else:
                    loop.run_until_complete(run(code, namespace))
            if block.output is not None:
                assert_printed(printed.getvalue(), block.output)
    finally:
        loop.close()


def test_no_python_is_left_out() -> None:
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        assert len(re.findall(r"(?:```|<!--) *py", text)) == len(python_blocks(text)), page


def test_all_examples_are_shown() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    examples = (DOCS.parent / "examples").glob("*.py")
    assert [each.name for each in examples if f"/examples/{each.name}\n" not in text] == []


async def run(code: CodeType, namespace: dict[str, Any]) -> None:
    result = eval(code, namespace)
    if inspect.isawaitable(result):
        await result


def assert_printed(printed: str, said: str) -> None:
    """``...`` stands for anything."""
    same = doctest.OutputChecker().check_output(said, printed, doctest.ELLIPSIS)
    assert same, f"the page says that it prints:\n{said}but it prints:\n{printed}"
