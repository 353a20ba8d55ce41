"""The programs that stand in Markdown pages."""

from __future__ import annotations

import re
from typing import NamedTuple

# A fenced block, or an HTML comment that starts with "python": what a page needs and no reader.
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
    """What the text block right after it says that it prints."""


def python_blocks(page: str) -> list[Block]:
    """All of a page's, in order, those in comments included."""
    return [
        Block(
            found["hidden"] if found["shown"] is None else found["shown"],
            page.count("\n", 0, found.start()) + 2,
            found["output"],
        )
        for found in _BLOCK.finditer(page)
    ]
