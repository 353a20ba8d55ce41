"""The layers of the C++: includes point one way, and only build_native/core/api exports functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "build_native"
CORE = NATIVE / "core"
API = CORE / "api"
INCLUDE = re.compile(
    r'^\s*#\s*include\s+(?:"([^"]+)"|<(gns/[^>]+)>)', re.MULTILINE
)  # GNS's mended sources use <gns/...>
EXPORTED = re.compile(r"^(?:const )?\w+ \*?(gns_\w+)\(", re.MULTILINE)

pytestmark = pytest.mark.clone


def sources(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.suffix in {".c", ".cpp", ".h", ".hpp"} and "sdk" not in path.parts
    )


def resolve(source: Path, name: str, roots: list[Path]) -> Path | None:
    """Return the file of ours that an include names, or None if it is another library's."""
    found = [folder / name for folder in (source.parent, *roots) if (folder / name).is_file()]
    return found[0].resolve() if found else None


def includes(folder: Path, *roots: Path) -> dict[Path, set[Path]]:
    graph: dict[Path, set[Path]] = {}
    for source in sources(folder):
        names = [first or second for first, second in INCLUDE.findall(source.read_text())]
        targets = (resolve(source, name, [folder, *roots]) for name in names)
        graph[source] = {target for target in targets if target}
    return graph


def units(graph: dict[Path, set[Path]]) -> dict[str, set[str]]:
    """Return the graph in which a header and the source that defines what it declares are one."""

    def unit(path: Path) -> str:
        return path.relative_to(ROOT).with_suffix("").as_posix()

    merged: dict[str, set[str]] = {}
    for source, targets in graph.items():
        merged.setdefault(unit(source), set()).update(unit(target) for target in targets)
    return {name: targets - {name} for name, targets in merged.items()}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the names on a circle, or nothing."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph.get(name, ())):
            if found := visit(target, [*way, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


GRAPHS = {
    "build_native": includes(NATIVE, CORE),
    "benchmarks": includes(ROOT / "benchmarks", CORE),
    "tests/core": includes(ROOT / "tests/core", CORE, NATIVE / "gns"),
}


@pytest.mark.parametrize("folder", GRAPHS)
def test_no_circle_of_includes(folder: str) -> None:
    assert any(GRAPHS[folder].values())
    assert not circle(units(GRAPHS[folder]))


def test_every_include_of_the_core_is_found() -> None:
    for source in sources(CORE):
        missing = [
            name for name, _ in INCLUDE.findall(source.read_text()) if name and not resolve(source, name, [CORE])
        ]
        assert not missing, source


def test_only_api_includes_api() -> None:
    outside = {source: targets for source, targets in GRAPHS["build_native"].items() if API not in source.parents}
    assert not {source for source, targets in outside.items() if any(API in target.parents for target in targets)}


def test_only_api_defines_exported_functions() -> None:
    declared = {name for header in CORE.glob("gns_core*.h") for name in EXPORTED.findall(header.read_text())}
    defined = {source: set(EXPORTED.findall(source.read_text())) for source in sources(CORE) if source.suffix == ".cpp"}
    assert declared == set().union(*(names for source, names in defined.items() if API in source.parents))
    assert not {source for source, names in defined.items() if names and API not in source.parents}


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_file_of_the_core_is_long() -> None:
    long = {
        str(path.relative_to(CORE)): lines
        for path in sources(CORE)
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not long
