"""The programs in Markdown pages."""

from __future__ import annotations

import re
from typing import NamedTuple

# A fenced block, or an HTML comment that starts with "python": code that a page needs but its reader does not.
_BLOCK = re.compile(
    r"^(?:```python\n(?P<shown>.*?)^```$(?:\n\n?```text\n(?P<output>.*?)^```$)?|<!-- python\n(?P<hidden>.*?)^-->$)",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    """A piece of Python in a page."""

    source: str
    line: int
    """Its first line in the page."""
    output: str | None
    """The output that the text block right after it shows."""


def python_blocks(page: str) -> list[Block]:
    """Return all programs of a page in order, those in comments included."""
    return [
        Block(
            found["hidden"] if found["shown"] is None else found["shown"],
            page.count("\n", 0, found.start()) + 2,
            found["output"],
        )
        for found in _BLOCK.finditer(page)
    ]
