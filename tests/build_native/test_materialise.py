"""materialise in a copy of its folder, with a cargo cache of the test's own: the situations of a first build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.clone

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path("build_native") / "materialise.py"
CARGO_HOME = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
GNS_ARCHIVE = "game-networking-sockets-sys-0.3.0.crate"
OPENSSL_ARCHIVE = "openssl-src-400.0.2+4.0.3.crate"
PROTOBUF_ARCHIVE = "protobuf-src-2.1.1+27.1.crate"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with the files that materialise reads, and nothing unpacked."""
    folder = tmp_path / "clone"
    (folder / SCRIPT).parent.mkdir(parents=True)
    (folder / "vendor").mkdir()
    shutil.copy(ROOT / SCRIPT, folder / SCRIPT)
    for name in ("Cargo.toml", "Cargo.lock"):
        shutil.copy(ROOT / "vendor" / name, folder / "vendor" / name)
    return folder


@pytest.fixture
def cargo_home(tmp_path: Path) -> Path:
    """Return an empty cargo home."""
    home = tmp_path / "cargo"
    home.mkdir()
    return home


@pytest.fixture
def cached_home(cargo_home: Path) -> Path:
    """Return a cargo home into which the archive with GNS has been downloaded."""
    put_archive(GNS_ARCHIVE, cargo_home)
    return cargo_home


def put_archive(name: str, cargo_home: Path) -> None:
    found = sorted((CARGO_HOME / "registry" / "cache").glob(f"*/{name}"))
    if not found:
        pytest.skip("cargo has not downloaded the pinned sources: build once")
    cache = cargo_home / "registry" / "cache" / "some-registry"
    cache.mkdir(parents=True)
    shutil.copy(found[0], cache / name)


def run(clone: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(clone / SCRIPT), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def failure_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a failed run."""
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def leftovers(clone: Path) -> list[str]:
    source = clone / "vendor" / "src"
    return sorted(entry.name for entry in source.iterdir()) if source.exists() else []


def test_unpacks_from_the_cache_without_cargo(clone: Path, cached_home: Path) -> None:
    done = run(clone, "gns", CARGO_HOME=str(cached_home), PATH="/nonexistent")
    assert (done.returncode, done.stderr) == (0, "")
    gns = clone / "vendor" / "src" / "gns"
    assert (gns / "include" / "steam" / "steamnetworkingtypes.h").is_file()
    assert (gns / "LICENSE").read_bytes() == (ROOT / "vendor" / "licenses" / "GameNetworkingSockets.txt").read_bytes()
    assert leftovers(clone) == ["gns"]


@pytest.mark.parametrize(
    ("part", "archive", "read", "unread"),
    [
        ("gns", GNS_ARCHIVE, ["src/CMakeLists.txt", "src/common/crypto_bcrypt.cpp"], ["src/external/vjson", "tests"]),
        (
            "protobuf",
            PROTOBUF_ARCHIVE,
            ["src/google/protobuf/message_lite.cc", "third_party/abseil-cpp/absl/time/time.cc"],
            ["src/google/protobuf/descriptor.cc", "third_party/abseil-cpp/absl/time/internal/cctz/testdata"],
        ),
        (
            "openssl",
            OPENSSL_ARCHIVE,
            ["Configure", "crypto/aes/asm/aesv8-armx.pl", "ssl/quic/build.info"],
            ["crypto/aes/asm/aes-ia64.S", "crypto/camellia", "demos", "doc/man3", "test"],
        ),
    ],
)
def test_takes_only_what_builds_read(
    clone: Path, cargo_home: Path, part: str, archive: str, read: list[str], unread: list[str]
) -> None:
    put_archive(archive, cargo_home)
    done = run(clone, part, CARGO_HOME=str(cargo_home), PATH="/nonexistent")
    assert (done.returncode, done.stderr) == (0, "")
    folder = clone / "vendor" / "src" / part
    assert [path for path in read if not (folder / path).is_file()] == []
    assert [path for path in unread if (folder / path).exists()] == []


def test_second_run_does_nothing_and_is_instant(clone: Path, cached_home: Path) -> None:
    run(clone, "gns", CARGO_HOME=str(cached_home))
    gns = clone / "vendor" / "src" / "gns"
    before = {path: path.stat().st_mtime_ns for path in gns.rglob("*")}
    shutil.rmtree(cached_home)  # neither the cache nor cargo is used again

    start = time.monotonic()
    done = run(clone, "gns", CARGO_HOME=str(cached_home), PATH="/nonexistent")
    elapsed = time.monotonic() - start

    assert (done.returncode, done.stderr) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in gns.rglob("*")} == before
    assert elapsed < 2, f"{elapsed:.1f} s, mostly Python's own start"


def test_unpacked_files_are_as_new_as_the_unpacking(clone: Path, cached_home: Path) -> None:
    """Otherwise a build after an upgrade would consider old objects newer than their sources."""
    start = time.time()
    run(clone, "gns", CARGO_HOME=str(cached_home))
    header = clone / "vendor" / "src" / "gns" / "include" / "steam" / "steamnetworkingtypes.h"
    assert header.stat().st_mtime > start - 5


def test_another_pin_unpacks_again(clone: Path, cached_home: Path) -> None:
    run(clone, "gns", CARGO_HOME=str(cached_home))
    gns = clone / "vendor" / "src" / "gns"
    (gns / ".materialised").write_text("game-networking-sockets-sys 0.2.0 of an older lock\n")
    (gns / "CMakeLists.txt").write_text("old")

    done = run(clone, "gns", CARGO_HOME=str(cached_home))

    assert done.returncode == 0
    assert (gns / "CMakeLists.txt").read_text() != "old"
    assert leftovers(clone) == ["gns"]


def test_wrong_checksum(clone: Path, cached_home: Path) -> None:
    archive = next(cached_home.rglob(GNS_ARCHIVE))
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)

    line = failure_line(run(clone, "gns", CARGO_HOME=str(cached_home)))

    assert "wrong checksum" in line
    assert str(archive) in line
    assert "delete that file and build again" in line
    assert leftovers(clone) == []


def test_wrong_checksum_in_the_lock(clone: Path, cached_home: Path) -> None:
    lock = clone / "vendor" / "Cargo.lock"
    pinned = "8b9d11200371f3b60115e9b4a9078cb649b4c9fbc46fa8fa356f725974b28172"
    assert pinned in lock.read_text()
    lock.write_text(lock.read_text().replace(pinned, "0" * 64))

    line = failure_line(run(clone, "gns", CARGO_HOME=str(cached_home)))

    assert pinned in line
    assert "0" * 64 in line


def test_no_cargo(clone: Path, cargo_home: Path) -> None:
    line = failure_line(run(clone, CARGO_HOME=str(cargo_home), PATH="/nonexistent"))
    assert "cargo is not in PATH" in line
    assert "apt install cargo" in line
    assert leftovers(clone) == []


@pytest.mark.skipif(shutil.which("cargo") is None, reason="needs cargo")
def test_no_network(clone: Path, cargo_home: Path) -> None:
    # A proxy that does not exist: port 9 (discard) of this machine.
    nowhere = "http://127.0.0.1:9"
    line = failure_line(
        run(
            clone,
            CARGO_HOME=str(cargo_home),
            CARGO_NET_RETRY="0",
            HTTPS_PROXY=nowhere,
            https_proxy=nowhere,
            CARGO_HTTP_PROXY=nowhere,
        )
    )
    assert "could not download the pinned sources" in line
    assert "check the network connection and build again" in line
    assert leftovers(clone) == []


def test_own_gns_source_is_checked(clone: Path, cached_home: Path, tmp_path: Path) -> None:
    bad = tmp_path / "not gns"
    bad.mkdir()
    line = failure_line(run(clone, "--check-gns-source", str(bad)))
    assert f"GNS_PY_GNS_SOURCE={bad} is not a GameNetworkingSockets source folder" in line

    run(clone, "gns", CARGO_HOME=str(cached_home))
    good = run(clone, "--check-gns-source", str(clone / "vendor" / "src" / "gns"))
    assert (good.returncode, good.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("cmake") is None or shutil.which("ninja") is None, reason="needs cmake and ninja")
def test_cmake_stops_with_that_line(tmp_path: Path) -> None:
    done = subprocess.run(
        ["cmake", "-G", "Ninja", "-S", str(ROOT / "build_native"), "-B", str(tmp_path / "build")],
        env={**os.environ, "GNS_PY_GNS_SOURCE": "/nonexistent/gns", "GNS_PY_MODE": "system"},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    # CMake folds long lines of a message.
    assert "GNS_PY_GNS_SOURCE=/nonexistent/gns is not a GameNetworkingSockets" in " ".join(done.stderr.split())
    assert "Configuring incomplete" in done.stdout + done.stderr
