"""Programs in C++ that tests run: compiled here, and linked with the GNS that was built for this package."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
_CHANGED = Path("gns_changed/clientlib/steamnetworkingsockets_snp.cpp")


def _build() -> Path:
    """Return the build tree that pip left, whichever mode it has."""
    for build in (ROOT / "build/vendored", ROOT / "build/system"):
        if (build / "gns/src/libGameNetworkingSockets_s.a").exists():
            return build
    pytest.fail("needs what 'pip install .' leaves in build/", pytrace=False)


def _run(command: list[str | Path], directory: Path | None = None) -> None:
    built = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory)
    assert built.returncode == 0, built.stderr


def build_program(name: str, directory: Path, *objects: Path) -> Path:
    """Compile tests/core/NAME.cpp and link it with GNS; the definitions of the given objects replace GNS's."""
    build = _build()
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.fail("needs a C++ compiler", pytrace=False)
    distribution: list[str | Path] = ["-lprotobuf", "-lcrypto"] if build.name == "system" else []
    libraries = ["-Wl,--start-group", *build.rglob("lib*.a"), "-Wl,--end-group", *distribution]
    include = ROOT / "vendor/src/gns/include"
    define = "-DSTEAMNETWORKINGSOCKETS_STATIC_LINK"
    source = ROOT / "tests/core" / f"{name}.cpp"
    target = directory / name
    _run(
        [compiler, "-std=c++17", "-O1", define, f"-I{include}", source, *objects, *libraries, "-pthread", "-o", target]
    )
    return target


def build_changed_peer(directory: Path) -> Path:
    """Compile tests/core/changed_peer.cpp and its copy of one of GNS's files the way GNS itself was compiled."""
    build = _build()
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    original = str(Path("gns_mended") / _CHANGED.relative_to("gns_changed"))
    entry = next(entry for entry in entries if entry["file"].endswith(original))
    words = shlex.split(entry["command"])
    target = directory / "changed_snp.o"
    words[words.index("-o") + 1] = str(target)
    words[words.index(entry["file"])] = str(build / _CHANGED)
    headers = Path(entry["file"]).parent  # the changed copy is not in the folder of the headers that it includes
    _run([*words, f"-I{headers}"], Path(entry["directory"]))
    return build_program("changed_peer", directory, target)
