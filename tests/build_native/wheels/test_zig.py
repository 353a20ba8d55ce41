"""zig as a compiler for CMake."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from pathlib import Path

import pytest

from build_native.wheels import zig
from build_native.wheels.targets import TARGETS

pytestmark = [pytest.mark.clone, pytest.mark.skipif(sys.platform == "win32", reason="commands are shell scripts")]


@pytest.fixture(autouse=True)
def _zig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zig, "_FOLDER", tmp_path)
    monkeypatch.setattr(zig, "compiler", lambda: Path("/some where/zig"))
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "0.99")


@pytest.mark.parametrize("name", TARGETS)
def test_the_toolchain_is_for_the_target(name: str) -> None:
    target = TARGETS[name]
    toolchain = zig.write_toolchain(target)
    text = toolchain.read_text()
    assert f"set(CMAKE_SYSTEM_NAME {target.system})\nset(CMAKE_SYSTEM_PROCESSOR {target.processor})" in text
    assert "set(GNS_PY_ZIG_VERSION 0.99)" in text
    compiler = toolchain.with_name("c++")
    assert os.access(compiler, os.X_OK)
    assert f"exec '/some where/zig' c++ -target {target.zig} -g0 -O3 -s" in compiler.read_text()


def test_unchanged_files_are_not_written_again() -> None:
    toolchain = zig.write_toolchain(TARGETS["musl-x86_64"])
    for file in toolchain.parent.iterdir():
        os.utime(file, (1, 1))
    zig.write_toolchain(TARGETS["musl-x86_64"])
    assert {file.stat().st_mtime for file in toolchain.parent.iterdir()} == {1}
