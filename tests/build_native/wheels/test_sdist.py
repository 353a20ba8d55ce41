"""The sdist of a clone is complete, whatever was unpacked before, and reproducible; otherwise there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

pytest.importorskip("scikit_build_core", reason="the backend that builds sdists")

ROOT = Path(__file__).resolve().parents[3]
BUILD = "import sys; from build_native.backend import build_sdist; build_sdist(sys.argv[1])"
CHECK = """
import pathlib, sys
from build_native.wheels.sdist import differences
print(*differences(pathlib.Path(sys.argv[1])), sep="\\n")
"""

pytestmark = [pytest.mark.clone, pytest.mark.slow]


def copy(folder: Path) -> Path:
    """Copy the current files of this clone that git would commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, files.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def run(code: str, clone: Path, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=clone,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=110,
    )


def build(clone: Path) -> Path:
    done = run(BUILD, clone, clone / "dist")
    assert done.returncode == 0, done.stderr
    (sdist,) = (clone / "dist").iterdir()
    return sdist


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the sdist of a clone in which nothing was unpacked before."""
    return build(copy(tmp_path_factory.mktemp("sdist") / "clone"))


@pytest.fixture
def other(sdist: Path, tmp_path: Path) -> Path:
    """Return another clone, in which all sources are unpacked."""
    clone = copy(tmp_path / "other")
    shutil.copytree(sdist.parents[1] / "vendor" / "src", clone / "vendor" / "src")
    return clone


def test_complete(sdist: Path) -> None:
    checked = run(CHECK, sdist.parents[1], sdist)
    assert (checked.returncode, checked.stdout.strip()) == (0, ""), checked.stderr
    with tarfile.open(sdist, "r:gz") as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    assert {
        "LICENSE",
        "vendor/licenses/OpenSSL.txt",
        "tests/build_native/wheels/test_sdist.py",
        "docs/index.md",
    } <= names
    assert not [name for name in names if name.startswith((".ci/", "build/", "dist/", "docs/measurements/benchmarks/"))]


def test_the_same_bytes_each_time(sdist: Path, other: Path) -> None:
    killed = other / "vendor" / "src" / ".gns-of-a-killed-build"
    killed.mkdir()
    (killed / "half.cpp").touch()
    assert build(other).read_bytes() == sdist.read_bytes()


def test_a_changed_and_a_lost_file_are_found(other: Path) -> None:
    gns = other / "vendor" / "src" / "gns"
    (gns / "LICENSE").write_text("another")
    (gns / "CMakeLists.txt").unlink()
    found = run(CHECK, other, build(other))
    assert found.stdout.split() == ["vendor/src/gns/CMakeLists.txt", "vendor/src/gns/LICENSE"]


def test_none_without_the_sources(tmp_path: Path) -> None:
    clone = copy(tmp_path / "clone")
    done = run(BUILD, clone, clone / "dist", CARGO_HOME=str(tmp_path / "cargo"), PATH="/nonexistent")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("gns_py: no sdist without the third-party sources: cargo is not in PATH")
    assert not (clone / "dist").exists()
