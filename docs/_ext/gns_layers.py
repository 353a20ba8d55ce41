"""The directive `gns-layers`: a picture of the package's layers, drawn from its imports when the pages are built."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import gns_py

ROOT = Path(gns_py.__file__).parent
# The column and row of each layer: connections to the left, sessions to the right. tests/layers holds their order.
PLACES = {
    "cli": (0, 0),
    "sim": (1, 0),
    "session.sync": (2, 0),
    "session.asyncio": (3, 0),
    "sync": (0, 1),
    "asyncio": (1, 1),
    "session._core": (2.5, 1),
    "_core": (0.5, 2),
    "session.protocol": (2.5, 2),
    "p2p.signalling": (1.75, 3),
    "_native": (0.5, 4),
    "certs": (1.75, 4),
    "p2p.ice_servers": (3, 4),
    "values": (1.5, 5),
}
ABOUT = {
    "cli": "the command gns-py",
    "sim": "simulated networks",
    "session.sync": "sessions that block",
    "session.asyncio": "sessions that await",
    "session._core": "what both share",
    "session.protocol": "engines, sans I/O",
    "sync": "connections that block",
    "asyncio": "connections that await",
    "_core": "what both share; never waits",
    "_native": "the C interface, through cffi",
    "certs": "certificates, an authority",
    "p2p.signalling": "services for peers",
    "p2p.ice_servers": "STUN and TURN servers",
    "values": "the words of the public API: addresses, options, events, errors, ...",
}
COLUMN, ROW, HEIGHT = 180, 92, 46
WIDTHS = {"_core": 210, "_native": 210, "values": 3 * COLUMN + 160}
WIDTH = 160


def layer_of(module: str) -> str:
    if module == "session.errors":  # the words of sessions, which name the reasons of their ends
        return "session.protocol"
    names = [name for name in PLACES if f"{module}.".startswith(f"{name}.")]
    return max(names, key=len, default="values")


def imported(path: Path, package: list[str]) -> list[str]:
    """Return the package's own modules that a file imports, imports for type checkers included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
            found += [".".join(filter(None, [*base, alias.name])) for alias in node.names]
    return found


def arrows() -> dict[str, Counter[str]]:
    """Count the imports from layer to layer. The packages' own files, which only re-export names, are left out."""
    found: dict[str, Counter[str]] = {name: Counter() for name in PLACES}
    for path in ROOT.rglob("*.py"):
        module = path.relative_to(ROOT).with_suffix("").parts
        if path.name in ("__init__.py", "__main__.py") or module[0] == "_pyinstaller":
            continue
        here = layer_of(".".join(module))
        for name in imported(path, list(module[:-1])):
            if (there := layer_of(name)) != here:
                found[here][there] += 1
    return found


def reduced(found: dict[str, Counter[str]]) -> list[tuple[str, str]]:
    """Leave out arrows that follow from others, so that the picture can be read."""

    def below(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        direct = set(found[name]) - seen
        return direct.union(*(below(each, seen | {name}) for each in direct))

    return [
        (here, there)
        for here, theirs in found.items()
        for there in theirs
        if not any(there in below(other) for other in theirs if other != there)
    ]


def picture() -> str:
    """Return the picture as SVG, in the colours of the page around it."""
    places = {name: (100 + column * COLUMN, 34 + row * ROW) for name, (column, row) in PLACES.items()}
    parts = []
    for here, there in reduced(arrows()):
        (x1, y1), (x2, y2) = places[here], places[there]
        reach = WIDTHS.get(there, WIDTH) / 2 - 20
        end = x2 + max(-reach, min(reach, (x1 - x2) / (1 if there == "values" else 4)))
        parts.append(f'<path d="M{x1:g} {y1 + HEIGHT / 2:g} L{end:g} {y2 - HEIGHT / 2 - 2:g}"/>')
    lines = "".join(parts)
    boxes = "".join(
        f'<rect x="{x - WIDTHS.get(name, WIDTH) / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTHS.get(name, WIDTH)}"'
        f' height="{HEIGHT}" rx="8"/>'
        f'<text x="{x:g}" y="{y - 3:g}" class="name">{name}</text><text x="{x:g}" y="{y + 14:g}">{ABOUT[name]}</text>'
        for name, (x, y) in places.items()
    )
    return (
        f'<svg class="gns-picture" role="img" viewBox="0 0 {200 + 3 * COLUMN} {68 + 5 * ROW}">'
        "<title>The layers of gns_py and the imports between them, all pointing down</title>"
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 L10 5 L0 10 z"/></marker></defs><g class="lines">{lines}</g>{boxes}</svg>'
    )


class Layers(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        return [nodes.raw("", picture(), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("gns-layers", Layers)
    return {"parallel_read_safe": True}
