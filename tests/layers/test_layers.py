"""The architecture: imports point down only, never in a circle, and files stay short."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import gns_py

ROOT = Path(gns_py.__file__).parent
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
# From the top down. Layers of one line do not know each other.
LAYERS = [
    ["cli"],
    ["sim"],
    ["p2p"],
    ["session.sync", "session.asyncio"],
    ["session._core"],
    ["session.errors"],
    ["session.protocol", "session.store"],
    ["sync", "asyncio"],
    ["_core"],
    ["p2p.signalling"],
    ["_native", "certs"],
    ["p2p.ice_servers"],
    ["words"],  # every module in the package's own folder, and _generated
]
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# session.protocol is pure: no clock, no thread, no native library. A store knows nothing of sessions but what it keeps.
# A signalling service needs no native library.
PURE = {
    "session.protocol": {"words"},
    "session.store": {"words"},
    "p2p.signalling": {"certs", "p2p.ice_servers", "words"},
}
# Certificates can be read without it, and it takes long to import.
IMPORT_CRYPTOGRAPHY = {"certs.keys", "cli.certs_serve"}
CALLERS_OF_NATIVE = {"_core", "session._core"}
SHELLS = {"sync", "asyncio", "session.sync", "session.asyncio"}
MAX_LINES, MAX_LINES_OF_A_SHELL = 450, 250


@cache
def imports(root: Path, prefix: str) -> dict[str, set[str]]:
    """Return the modules of a package and those that each imports, imports under TYPE_CHECKING included.

    A package's own ``__init__`` or ``__main__`` hands names on, and does not count as a module.
    """
    paths = {
        ".".join(path.relative_to(root).with_suffix("").parts): path
        for path in root.rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py", "_ffi.py")
    }
    found: dict[str, set[str]] = {}
    for module, path in paths.items():
        names: set[str] = set()  # with the prefix
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                parts = module.split(".")[: -node.level] if node.level else []
                base = ".".join([*parts, *(node.module or "").split(".")]).strip(".")
                base = f"{prefix}{base}" if node.level else base
                names |= {f"{base}.{alias.name}" for alias in node.names} | {base}
            elif isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
        names = {name.removeprefix(prefix).strip(".") for name in names if name.startswith(prefix)}
        found[module] = {name for name in names if name in paths or is_package(root, name)} - {module}
    return found


def is_package(root: Path, name: str) -> bool:
    """Return whether a name is a folder with modules, such as _native, which is imported as a whole."""
    return bool(name) and root.joinpath(*name.split("."), "__init__.py").exists()


def layer_of(module: str) -> str:
    """Return the layer that a module lies in."""
    return max((name for name in RANKS if f"{module}.".startswith(f"{name}.")), key=len, default="words")


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return a circle of imports for each module that is part of one and comes first in it."""
    found = []
    for start in sorted(edges):
        paths = [[start]]
        seen: set[str] = set()
        while paths:
            path = paths.pop()
            for name in edges.get(path[-1], ()):
                if name == start and min(path) == start:
                    found.append([*path, start])
                elif name not in seen:
                    seen.add(name)
                    paths.append([*path, name])
    return found


def test_imports_point_down() -> None:
    wrong = []
    for module, names in imports(ROOT, "gns_py.").items():
        here = layer_of(module)
        for name in names:
            there = layer_of(name)
            if name in ("session", "") or there == here:  # the faces of packages hand names on
                continue
            if RANKS[there] <= RANKS[here] or there not in PURE.get(here, RANKS):
                wrong.append(f"{module} ({here}) imports {name} ({there})")
    assert wrong == []


def test_only_the_cores_call_the_native_library() -> None:
    callers = {
        layer_of(module)
        for module, names in imports(ROOT, "gns_py.").items()
        if any(layer_of(name) == "_native" for name in names)
    }
    assert callers - {"_native"} == CALLERS_OF_NATIVE


def test_the_protocol_is_pure() -> None:
    for path in ROOT.joinpath("session", "protocol").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not {"time", "asyncio", "socket", "cffi"} & set(names), path


def test_cryptography_is_imported_where_and_when_it_is_needed() -> None:
    importers = set()
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if any(name.split(".")[0] == "cryptography" for name in names):
                importers.add(".".join(path.relative_to(ROOT).with_suffix("").parts))
                assert node not in tree.body, path
    assert importers == IMPORT_CRYPTOGRAPHY


@pytest.mark.parametrize(("root", "prefix"), [(ROOT, "gns_py."), (BENCHMARKS, "")])
def test_no_circles(root: Path, prefix: str) -> None:
    if not root.exists():
        pytest.skip("not in a clone")
    assert circles(imports(root, prefix)) == []


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c", "a"]]


def test_files_are_short() -> None:
    long = {}
    for module in imports(ROOT, "gns_py."):
        path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
        if layer_of(module) == "words" and module.startswith("_generated"):
            continue
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > (MAX_LINES_OF_A_SHELL if layer_of(module) in SHELLS else MAX_LINES):
            long[module] = lines
    assert long == {}
