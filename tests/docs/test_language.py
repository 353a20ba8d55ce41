"""Plain English in docstrings, comments and documents: patterns that native readers stumble over, and better ones.

Patterns do not find everything: read aloud what you write. CONTRIBUTING.md has the style with examples.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.clone

ROOT = Path(__file__).resolve().parents[2]
START = r"(?:^|(?<=[.:;!?] ))"
"""The beginning of a text or of a sentence."""
NO_QUESTION = r"(?![^.;]*\?)"


class Rule(NamedTuple):
    """A pattern that is not wanted, a text with it, and a better text."""

    pattern: str
    bad: str
    good: str


RULES = [
    Rule(
        rf"{START}Who\b{NO_QUESTION}|\b(?:to|for|by|of|from|with|than|beside) who\b",
        "Who reads it hands it out.",
        "The thread that reads it dispatches it; anyone who reads ...",
    ),
    Rule(rf"{START}What\b{NO_QUESTION}", "What waits is freed.", "Messages that wait are freed."),
    Rule(r"^Whether\b", "Whether it is open.", "Return whether it is open."),
    Rule(r"^(?:Has|Have) (?:an?|the|its|all|each|every|GNS)\b", "Has a byte sent to it.", "Make the core send a byte."),
    Rule(r"^(?:So|As) (?:many|much|long)\b", "So many bytes.", "Read `size` bytes."),
    Rule(r"^(?:Those|That|All) (?:that|who|which)\b", "Those that are connected.", "The established connections."),
    Rule(
        r"^The same(?:[,.:]| (?:for|as|with|in|of|at|one)\b)|\bas there[.,)]|^As \w+\(\)",
        "The same, for many.",
        "Send several messages in one call.",
    ),
    Rule(r"\b(?:[Ss]ome|[Nn]o)body\b", "Nobody reads it.", "No one reads it; no thread reads it; the caller reads it."),
    Rule(r"\banew\b|\bonce more\b", "It begins anew.", "It begins again; or delete the word."),
    Rule(r"\bbesides?\b", "Sending works beside it.", "Sending works while another thread reads; in addition, ..."),
    Rule(
        r"\bso (?:long|many|much)\b(?!(?:,? \w+){0,4} (?:that|as)\b)",
        "It waits so long.",
        "It waits that long; read this many; no message is lost as long as it waits.",
    ),
    Rule(r"\bany ?more\b(?! than| of| \w+s\b)", "It is not read any more.", "It is no longer read."),
    Rule(r"(?<![Tt]here )\b(?:is|are|was|were) none\b", "It is none.", "It is not a frame; there is none."),
    Rule(
        r"(?<![Tt]here )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|later\b|earlier\b|different\b|one\b)",
        "It is no frame.",
        "It is not a frame; there is no frame; it is no longer one.",
    ),
    Rule(
        r"\b(?:has|have|had) come\b(?! (?:from|to|back|with|out|up|down|first)\b)"
        r"|\b(?:BYE|BYE_ACK|ACK|PING|PONG|HELLO|WELCOME|CONFIRM|answers?|packets?|messages?|events?|data|it|nothing|"
        r"anything|something|what|that|which) (?:came|comes|come)\b"
        r"(?! (?:from|to|back|with|out|up|down|first|after|before|in between)\b)",
        "It ends after BYE came.",
        "It ends after BYE arrived.",
    ),
    Rule(
        r"(?<!can )(?<!cannot )(?<!not )(?<!to )\b(?:tell|tells|telling)\b"
        r"(?= (?:what|whether|how|which|where|when|why|that)\b|[.,;:)]|$)",
        "`address` tells which one it is.",
        "`address` reports which one it is; it tells the peer which one it is.",
    ),
    Rule(
        r"\b(?:[Hh]e|him|[Hh]is|himself)\b",
        "The peer closes his end.",
        "The peer closes its end; players close theirs.",
    ),
    Rule(r"^(?:Errors|Native)(?: as\b|:)", "Errors: ValueError.", "Raises: ValueError: ... (Google's sections)"),
]


def test_the_rules_find_what_is_bad_and_pass_what_is_good() -> None:
    for rule in RULES:
        assert re.search(rule.pattern, rule.bad), rule
        assert [other.pattern for other in RULES if re.search(other.pattern, without_code(rule.good))] == [], rule


# ---- where the texts are ---------------------------------------------------------------------------------------------

FOLDERS = ["gns_py", "build_native", "tests", "docs", "examples", "benchmarks", ".ci", ".github"]
ENDINGS = {".py", ".cpp", ".hpp", ".h", ".cmake", ".txt", ".md", ".yml", ".toml", ""}
NOT_OURS = {"_ffi.py", "requirements.txt", "CFTimeZone.h"}


def is_text(path: Path) -> bool:
    is_ours = path.name not in NOT_OURS and not path.name.startswith(".coverage")
    return path.is_file() and path.suffix in ENDINGS and is_ours and "__pycache__" not in path.parts


FILES = sorted(
    path
    for path in [
        *ROOT.glob("*.*"),
        *ROOT.glob("vendor/*.md"),
        *(each for folder in FOLDERS for each in (ROOT / folder).rglob("*")),
    ]
    if is_text(path)
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_language(path: Path) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match.group()!r} in {text[:100]!r}; better like {rule.good!r}"
        for line, text in texts(path)
        for rule in RULES
        if (match := re.search(rule.pattern, text))
    ]
    assert found == [], "\n" + "\n".join(found)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the text, in one line and without code, of each paragraph for people."""
    source = path.read_text(encoding="utf-8")
    match path.suffix:
        case ".py":
            paragraphs = [*docstrings(source), *python_comments(source)]
        case ".md":
            paragraphs = [*markdown(source)]
        case ".cpp" | ".hpp" | ".h":
            paragraphs = [*comments(source, "//")]
        case _:
            paragraphs = [*comments(source, "#")]
    for line, text in paragraphs:
        if flat := " ".join(without_code(text).split()):
            yield line, flat


def without_code(text: str) -> str:
    """Replace code spans, so that code and examples of bad style are not read as prose."""
    return re.sub(r"`+[^`]+`+", "`x`", text)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the paragraphs of all strings that are statements, since those below attributes are documentation, too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            line = node.lineno
            for paragraph in re.split(r"\n\s*\n", node.value.value):
                yield line, paragraph
                line += paragraph.count("\n") + 2


def python_comments(source: str) -> Iterator[tuple[int, str]]:
    last, first, block = -1, 0, ""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        text = "" if token.string.startswith("#!") else token.string.lstrip("#: ")
        alone = token.line.strip() == token.string
        if alone and token.start[0] == last + 1:
            block += " " + text
        else:
            yield first, block
            first, block = token.start[0], text
        last = token.start[0] if alone else -1
    yield first, block


def comments(source: str, mark: str) -> Iterator[tuple[int, str]]:
    """Yield the comments that follow a mark; those on lines of their own, one below the other, are one text."""
    last, first, block = -1, 0, ""
    for number, line in enumerate(source.splitlines(), 1):
        head, found, text = line.partition(mark) if line.lstrip().startswith(mark) else line.rpartition(f" {mark} ")
        if not found or line.startswith("#!"):
            continue
        alone = not head.strip()
        text = text.strip(mark + "!- ")
        if alone and number == last + 1 and text:
            block += " " + text
        else:
            yield first, block
            first, block = number, text
        last = number if alone else -1
    yield first, block


def markdown(source: str) -> Iterator[tuple[int, str]]:
    """Yield paragraphs, items, and cells of tables; headings may be headless; of blocks of code the comments only."""
    fence, first, block = "", 0, ""
    for number, line in enumerate([*source.splitlines(), ""], 1):
        stripped = line.strip()
        if fence:
            fence = "" if stripped.startswith(fence) else fence
            if " # " in line or stripped.startswith("# "):
                yield number, line.rpartition("# ")[2]
            continue
        if begins := re.match(r"(`{3,}|<!-- *python)", stripped):
            fence = "-->" if stripped.startswith("<") else begins.group()
            stripped = ""
        if not stripped or stripped.startswith(("#", "|", ":::", "<")) or re.match(r"[-*\d]+\.? ", stripped):
            yield first, block
            first, block = number, ""
        if stripped.startswith("|"):
            yield from ((number, cell.strip()) for cell in stripped.strip("|").split("|"))
        elif stripped and not stripped.startswith(("#", ":::", "<")):
            block += " " + re.sub(r"^(?:[-*]|\d+\.) (?:\*\*)?", "", stripped)
            first = first if block.count(" ") else number
    yield first, block
